package states

import (
	"slices"

	"github.com/stile-oauth/stile/states/wire"
)

// Discovery: who protects the resource, and where its issuer's endpoints are.
const (
	DiscoveringPRM State = "Discovering-PRM"
	DiscoveringASM State = "Discovering-ASM"
)

var discoveryRoom = []about{
	{
		state: DiscoveringPRM, group: groupFinding, doing: "fetching the protected resource metadata",
		says:  "The metadata of the protected resource is fetched. It says who protects the resource.",
		enter: probe,
		holds: addressLeft,
	},
	{
		state: DiscoveringASM, group: groupFinding, doing: "fetching the authorization server metadata",
		says:  "The metadata of the authorization server is fetched. It says where the endpoints are.",
		enter: probe,
		holds: all(addressLeft, issuerNamed),
	},
}

// probe asks the next address for a metadata document.
func probe(d *Data) []Effect {
	return []Effect{get(d, d.Flow.Candidates[d.Flow.Candidate], d.Flow.Revision)}
}

func addressLeft(d *Data) string {
	return unless(d.Flow != nil && d.Flow.Candidate < len(d.Flow.Candidates), "no address is left to ask")
}

// ASMAddresses lists the possible addresses of an issuer's metadata, in the order to ask
// (docs/decision-tables.md#t2); legacy leaves out those that MCP 2025-03-26 does not know. For
// an issuer with a pinned alias, they are the addresses for the name under which it is
// listed, then those for the name that it gives itself.
func (c *Config) ASMAddresses(issuer string, legacy bool) []string {
	names := []string{issuer}
	for _, q := range c.Quirks {
		if q.Name == IssuerAlias && len(q.Values) == 2 && slices.Contains(q.Values, issuer) {
			names = q.Values
		}
	}
	var out []string
	add := func(u string) {
		if u != "" && !slices.Contains(out, u) {
			out = append(out, u)
		}
	}
	for _, name := range names {
		for _, u := range wire.ASMURLs(name, legacy) {
			add(u)
		}
		if c.Has(AppendedOAuth) {
			add(wire.ASMAppendedURL(name))
		}
	}
	return out
}
