package audit

import (
	"slices"
	"strconv"

	"github.com/stile-oauth/stile/states/wire"
)

// Hard limits on what a hostile server can make an audit ask for.
const (
	maxIssuers = 4 // how many authorization servers are looked at
)

// The labels of the probes that several checks read.
const (
	probe2025     = "mcp.initialize"   // POST initialize, as a client of 2025-11-25
	probe2026     = "mcp.discover"     // POST server/discover, as a client of 2026-07-28
	probeList     = "mcp.list"         // POST tools/list without a session
	probeStream   = "mcp.stream"       // GET text/event-stream
	probeDelete   = "mcp.delete"       // DELETE without a session
	probePing     = "mcp.ping"         // POST ping
	probeNotify   = "mcp.notification" // POST notifications/initialized
	probeAgain    = "mcp.again."       // initialize, two more times
	probePRMNamed = "prm.named"        // the address that the challenge names
	probePRMPath  = "prm.path"         // the well-known string before the path
	probePRMRoot  = "prm.root"         // the well-known string at the root
	probeASM      = "asm."             // + issuer number + "." + place
	probeJWKS     = "jwks."            // + issuer number
)

const (
	initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"stile-audit","version":"1"}}}`
	discover   = `{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"stile-audit","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`
	listTools  = `{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"stile-audit","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`
	ping       = `{"jsonrpc":"2.0","id":3,"method":"ping"}`
	notify     = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
)

// post is an MCP request as a client sends it (MCP streamable HTTP, "Sending
// Messages to the Server"); method is named in a header from 2026-07-28 on.
func post(url, version, method, body string) wire.Request {
	h := wire.Fields{
		{Name: "Content-Type", Value: "application/json"},
		{Name: "Accept", Value: "application/json, text/event-stream"},
		{Name: "MCP-Protocol-Version", Value: version},
	}
	if method != "" {
		h = append(h, wire.Field{Name: "Mcp-Method", Value: method})
	}
	return wire.Request{Method: "POST", URL: url, Header: h, Body: []byte(body)}
}

// planFirst sends what a client of each era sends first, without a token.
func planFirst(e *Evidence) []Probe { return e.planned(0, makeFirst) }

func makeFirst(e *Evidence) []Probe {
	return []Probe{
		{Label: probe2025, Leg: LegMCP, Request: post(e.Target, "2025-11-25", "", initialize)},
		{Label: probe2026, Leg: LegMCP, Request: post(e.Target, "2026-07-28", "server/discover", discover)},
	}
}

// planMethods asks the same with the other methods of both eras.
func planMethods(e *Evidence) []Probe {
	accept := wire.Fields{{Name: "Accept", Value: "text/event-stream"}, {Name: "MCP-Protocol-Version", Value: "2025-11-25"}}
	return append(planFirst(e),
		Probe{Label: probeList, Leg: LegMCP, Request: post(e.Target, "2026-07-28", "tools/list", listTools)},
		Probe{Label: probePing, Leg: LegMCP, Request: post(e.Target, "2025-11-25", "", ping)},
		Probe{Label: probeNotify, Leg: LegMCP, Request: post(e.Target, "2025-11-25", "", notify)},
		Probe{Label: probeStream, Leg: LegMCP, Request: wire.Request{Method: "GET", URL: e.Target, Header: accept}},
		Probe{Label: probeDelete, Leg: LegMCP, Request: wire.Request{Method: "DELETE", URL: e.Target, Header: accept[1:]}},
	)
}

// planStable sends the first request two more times.
func planStable(e *Evidence) []Probe {
	out := planFirst(e)
	for _, n := range []string{"1", "2"} {
		out = append(out, Probe{Label: probeAgain + n, Leg: LegMCP, Request: post(e.Target, "2025-11-25", "", initialize)})
	}
	return out
}

// planPRM asks for the resource's metadata at every place where a client looks
// (docs/decision-tables.md#t3): named by the challenge, at the path, at the root.
func planPRM(e *Evidence) []Probe { return e.planned(1, makePRM) }

func makePRM(e *Evidence) []Probe {
	out := planFirst(e)
	if e.probe(probe2025) == nil || e.probe(probe2026) == nil {
		return out
	}
	path, root := wire.PRMPathURL(e.server()), wire.PRMRootURL(e.server())
	if named := e.metadataURL(); named != "" && named != path && named != root {
		out = append(out, Probe{Label: probePRMNamed, Leg: LegPRM, Request: wire.GetMetadata(named, "2026-07-28")})
	}
	if path != "" {
		out = append(out, Probe{Label: probePRMPath, Leg: LegPRM, Request: wire.GetMetadata(path, "2026-07-28")})
	}
	if root != "" && root != path {
		out = append(out, Probe{Label: probePRMRoot, Leg: LegPRM, Request: wire.GetMetadata(root, "2026-07-28")})
	}
	return out
}

// planASM asks for the metadata of every issuer that the resource lists, at
// every place (docs/decision-tables.md#t2). Without resource metadata it asks for that
// of the origin, as MCP 2025-03-26 says.
func planASM(e *Evidence) []Probe { return e.planned(2, makeASM) }

func makeASM(e *Evidence) []Probe {
	out := planPRM(e)
	if e.Source != LiveIssuer && len(out) == len(planFirst(e)) || !answered(e, out) {
		return out
	}
	for i, issuer := range e.issuers() {
		for k, url := range wire.ASMURLs(issuer, false) {
			out = append(out, Probe{Label: asmLabel(i, k), Leg: LegASM, Issuer: issuer, Request: wire.GetMetadata(url, "2026-07-28")})
		}
	}
	return out
}

func asmLabel(issuer, place int) string {
	return probeASM + strconv.Itoa(issuer) + "." + strconv.Itoa(place)
}

// planJWKS asks for the keys that the issuers publish.
func planJWKS(e *Evidence) []Probe {
	out := planASM(e)
	if !answered(e, out) {
		return out
	}
	for i, issuer := range e.issuers() {
		for _, m := range e.reading().asm {
			if uri, _, ok := m.obj.String("jwks_uri"); m.x.Issuer == issuer && ok && uri != "" && e.mayFetch(uri) {
				out = append(out, Probe{Label: probeJWKS + strconv.Itoa(i), Leg: LegJWKS, Issuer: issuer,
					Request: wire.Request{Method: "GET", URL: uri, Header: wire.Fields{{Name: "Accept", Value: "application/json, application/jwk-set+json"}}}})
				break
			}
		}
	}
	return out
}

// mayFetch reports whether the audit may send a request to an address that a server
// named: it must be https, or loopback http if the target is loopback http. The
// sender also has its own policy about addresses.
func (e *Evidence) mayFetch(url string) bool {
	return wire.CheckURL(url, wire.URLPolicy{AllowLoopbackHTTP: wire.IsLoopbackHTTP(e.Target)}) == nil
}

// planned makes a plan once and keeps it until the next exchange. The slice has no
// spare capacity, so an append makes a copy.
func (e *Evidence) planned(n int, plan func(*Evidence) []Probe) []Probe {
	r := e.reading()
	if r.plans[n] == nil {
		r.plans[n] = slices.Clip(plan(e))
	}
	return r.plans[n]
}

// answered reports whether all the probes that can be sent are in the evidence.
func answered(e *Evidence, probes []Probe) bool {
	return !slices.ContainsFunc(probes, func(p Probe) bool { return e.asks(p) && e.probe(p.Label) == nil })
}

// metadataURL is the first address of resource metadata that a challenge names.
func (e *Evidence) metadataURL() string {
	for _, c := range e.reading().challenges {
		for _, a := range c.all {
			if a.Scheme != "bearer" && a.Scheme != "dpop" {
				continue
			}
			if u, ok := a.Get("resource_metadata"); ok && e.mayFetch(u) {
				return u
			}
		}
	}
	return ""
}

// issuers lists the issuers that the resource's metadata names, in order, or the
// target's origin if there is no such metadata at all.
func (e *Evidence) issuers() []string {
	if e.Source == LiveIssuer {
		return []string{e.Target}
	}
	var out []string
	for _, m := range e.reading().prm {
		list, _, _ := m.obj.Strings("authorization_servers")
		for _, issuer := range list {
			if len(out) < maxIssuers && !slices.Contains(out, issuer) && wire.SoundIssuer(issuer) && e.mayFetch(issuer) {
				out = append(out, issuer)
			}
		}
	}
	if len(e.reading().prm) == 0 && e.Target != "" {
		if origin := wire.Origin(e.Target); origin != "" {
			out = append(out, origin)
		}
	}
	return out
}
