package states

import (
	"slices"

	"github.com/stile-oauth/stile/states/wire"
)

// enterRereadingToRefresh: the token endpoint is not there for the refresh; under the lease, what the issuer says of its
// endpoints is read once more.
func enterRereadingToRefresh(d *Data) []Effect {
	t := d.Token()
	return []Effect{withinLease(d, get(d, d.Config.ASMAddresses(t.Server.Issuer, t.Revision == R1)[d.Reread-1], t.Revision))}
}

func invariantRereadingToRefresh(d *Data) string {
	switch {
	case d.Lease.Fence == 0 || d.Token() == nil || d.Record.Intent == nil:
		return "the intent is missing"
	case d.Reread < 1 || d.Reread > len(d.Config.ASMAddresses(d.Token().Server.Issuer, d.Token().Revision == R1)):
		return "no address is left to ask"
	case d.Fault == nil:
		return "why it is read once more is not known"
	}
	return ""
}

// ASMAddresses lists where the metadata of an issuer may lie, in the order to
// ask (catalogue, T2); legacy leaves out what MCP 2025-03-26 does not know. For
// an issuer that was accepted under a pinned alias they are those of the name
// under which it was listed.
func (c *Config) ASMAddresses(issuer string, legacy bool) []string {
	for _, w := range c.Waive {
		if w.Rule == "issuer-alias" && len(w.Values) == 2 && w.Values[1] == issuer {
			issuer = w.Values[0]
		}
	}
	out := wire.ASMURLs(issuer, legacy)
	if c.Waives("appended-oauth") {
		if u := wire.ASMAppendedURL(issuer); u != "" && !slices.Contains(out, u) {
			out = append(out, u)
		}
	}
	return out
}
