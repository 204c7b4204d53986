package audit

import (
	"github.com/stile-oauth/stile/states/wire"
)

// reading is the content of the exchanges, decoded once for all judges.
type reading struct {
	challenges []challenge // answers to MCP requests without a token
	prm        []document  // resource metadata that is a JSON object
	asm        []document  // authorization server metadata that is a JSON object
	jwks       []document
	probes     map[string]*Exchange   // by label
	plans      [5][]Probe             // planFirst, planPRM, planASM, planRegistered, planMain: most plans begin with them
	objects    map[string]wire.Object // JSON answers that gave something, by label
	addresses  map[string]string      // endpoints of the issuer, until its metadata grows
}

// challenge is an answer of the MCP server to a request without a token.
type challenge struct {
	x        *Exchange
	all      []wire.AuthChallenge
	findings []wire.Finding
}

// document is a JSON document that a server publishes.
type document struct {
	x   *Exchange
	obj wire.Object
}

// reading decodes the evidence and keeps the result until the next Add.
func (e *Evidence) reading() *reading {
	if e.read != nil {
		return e.read
	}
	r := &reading{probes: map[string]*Exchange{}, objects: map[string]wire.Object{}, addresses: map[string]string{}}
	e.read = r
	for i := range e.Exchanges {
		r.add(&e.Exchanges[i])
	}
	return r
}

// add reads one more exchange. It drops the plans, since they may be different after it.
func (r *reading) add(x *Exchange) {
	r.plans = [5][]Probe{}
	if x.Probe != "" && r.probes[x.Probe] == nil {
		r.probes[x.Probe] = x
	}
	if x.Response == nil {
		return
	}
	switch x.Leg {
	case LegMCP:
		if len(x.sent("Authorization")) == 0 {
			all, found := wire.ParseChallenges(x.Response.Header)
			r.challenges = append(r.challenges, challenge{x, all, found})
		}
	case LegPRM:
		r.prm = appendDocument(r.prm, x)
	case LegASM:
		r.asm = appendDocument(r.asm, x)
		clear(r.addresses)
	case LegJWKS:
		r.jwks = appendDocument(r.jwks, x)
	default: // the others need nothing here
	}
}

// appendDocument keeps what a client could read as a document: a 200 with a JSON
// object. Any other answer is judged from the exchange itself.
func appendDocument(list []document, x *Exchange) []document {
	if x.Response.Status != 200 || x.Response.Oversized {
		return list
	}
	obj, err := wire.ParseObject(x.Response.Body)
	if err != nil {
		return list
	}
	return append(list, document{x, obj})
}

// legs gives the exchanges of a leg that were answered.
func (e *Evidence) legs(legs ...Leg) []*Exchange {
	var out []*Exchange
	for i := range e.Exchanges {
		for _, l := range legs {
			if e.Exchanges[i].Leg == l && e.Exchanges[i].Response != nil {
				out = append(out, &e.Exchanges[i])
			}
		}
	}
	return out
}
