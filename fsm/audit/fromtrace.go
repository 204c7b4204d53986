package audit

import (
	"slices"
	"time"

	"github.com/stile-oauth/stile/fsm/trace"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// FromTraceFile turns what a machine asked for and was answered into evidence. A
// trace already has stand-ins in place of secrets.
func FromTraceFile(t *trace.Trace) (Evidence, error) {
	config, err := t.Config()
	if err != nil {
		return Evidence{}, err
	}
	e := Evidence{Source: FromTrace, Target: config.Server}
	open := map[uint64]int{} // from the serial of a question to the number of its exchange, from 1
	var first time.Time
	var issuer string
	for _, s := range t.Steps {
		if first.IsZero() {
			first = s.Time
		}
		at := s.Time.Sub(first)
		switch in := s.Input.(type) {
		case states.Responded:
			if i := open[in.Serial]; i > 0 {
				resp := in.Response
				e.Exchanges[i-1].Response = &resp
				e.Exchanges[i-1].Took = at - e.Exchanges[i-1].At
			}
		case states.Unreachable:
			if i := open[in.Serial]; i > 0 {
				e.Exchanges[i-1].Failure = string(in.Class) + " " + in.Detail
			}
		case states.Challenged:
			resp := in.Response
			req := wire.Request{Method: "POST", URL: config.Server}
			if in.Generation > 0 {
				req.Header = wire.Fields{{Name: "Authorization", Value: "Bearer " + stand + "generation"}}
			}
			e.Exchanges = append(e.Exchanges, Exchange{Leg: LegMCP, At: at, Request: req, Response: &resp})
		case states.Loaded:
			if c, err := states.DecodeCredential(in.Value); err == nil && c.Current != nil {
				e.Stored = true
			}
		case states.Redirected:
			e.Exchanges = append(e.Exchanges, Exchange{Leg: LegCallback, At: at, Issuer: issuer,
				Request: wire.Request{Method: "GET", URL: in.URL.Reveal()}})
		default: // the others need nothing here
		}
		for _, f := range s.Effects {
			switch f := f.(type) {
			case states.Send:
				e.Exchanges = append(e.Exchanges, Exchange{At: at, Request: f.Request})
				open[f.Serial] = len(e.Exchanges)
			case states.Visit:
				issuer = f.Issuer
				if slices.ContainsFunc(e.Exchanges, func(x Exchange) bool { return x.Leg == LegAuthorize && x.Request.URL == f.URL.Reveal() }) {
					continue // the same request, shown once more
				}
				e.Exchanges = append(e.Exchanges, Exchange{Leg: LegAuthorize, At: at, Issuer: f.Issuer,
					Request: wire.Request{Method: "GET", URL: f.URL.Reveal()}})
			default: // the others need nothing here
			}
		}
	}
	for i := range e.Exchanges {
		for k := range e.Exchanges[i].Request.Form {
			e.Exchanges[i].Request.Form[k].Secret = false
		}
		for k := range e.Exchanges[i].Request.Header {
			e.Exchanges[i].Request.Header[k].Secret = false
		}
	}
	e.classify()
	return e, nil
}
