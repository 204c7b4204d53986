package peer

import (
	"slices"
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

// World is all servers that a client can reach, in one value. A request goes
// to the server of its URL: an authorization server's own endpoints first, so
// that both kinds can share an origin (an MCP 2025-03-26 server), then the
// resource with the longest address.
type World struct {
	AS []*AS
	RS []*RS
	// Documents answers any other address, by exact URL: client ID metadata
	// documents, decoys.
	Documents []Document
}

// Document is a fixed answer.
type Document struct {
	URL      string
	Response wire.Response
	// Private says that the address leads into a private network: an authorization
	// server that judges addresses does not read it.
	Private bool
}

// Answer answers one request; found is false when no server has the URL,
// which is what a network would call an unknown host.
func (w *World) Answer(at time.Time, req wire.Request) (resp wire.Response, found bool) {
	for _, a := range w.AS {
		if a.Serves(req.URL) {
			if id := a.Needs(at, req); id != "" {
				for _, d := range w.Documents {
					if d.URL == id && (!d.Private || a.faults.has("cimd-private")) {
						// A bad document leaves the client unknown, and the
						// answer says so.
						_ = a.Learn(at, id, d.Response)
					}
				}
			}
			return a.Answer(at, req), true
		}
	}
	var best *RS
	for _, s := range w.RS {
		if s.Serves(req.URL) && (best == nil || len(s.config.Resource) > len(best.config.Resource)) {
			best = s
		}
	}
	if best != nil {
		return best.Answer(at, req, w.Introspect), true
	}
	for _, d := range w.Documents {
		if d.URL == req.URL {
			return d.Response, true
		}
	}
	origin, _, _ := split(req.URL)
	known := slices.ContainsFunc(w.AS, func(a *AS) bool { o, _, _ := split(a.config.Issuer); return o == origin }) ||
		slices.ContainsFunc(w.RS, func(s *RS) bool { o, _, _ := split(s.config.Resource); return o == origin })
	return notFound().response(), known
}

// Introspect asks every authorization server of the world.
func (w *World) Introspect(at time.Time, token string) Introspection {
	for _, a := range w.AS {
		if t := a.Introspect(at, token); t.Active {
			return t
		}
	}
	return Introspection{}
}

// Clone forks the whole world.
func (w *World) Clone() *World {
	out := &World{Documents: w.Documents}
	for _, a := range w.AS {
		out.AS = append(out.AS, a.Clone())
	}
	for _, s := range w.RS {
		out.RS = append(out.RS, s.Clone())
	}
	return out
}
