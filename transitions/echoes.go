package transitions

import (
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// maskEchoes removes the machine's secrets from every text that this step took from a peer
// or from a driver, because such texts go into errors, notes, logs and pages. was are the
// facts before the step, which may hold a secret that is gone after it.
// Rules: log-error-echo.
func (k *step) maskEchoes(was *states.Data) {
	var remembered, unusable *wire.Problem
	if k.Flow != nil && (was.Flow == nil || k.Flow.Remembered != was.Flow.Remembered) {
		remembered = k.Flow.Remembered
	}
	if k.Flow != nil && was.Flow == nil {
		unusable = k.Flow.Unusable // only the challenge that begins a login sets it
	}
	fault := k.Fault
	if fault == was.Fault {
		fault = nil
	}
	waits := k.Challenge
	if waits == was.Challenge || waits != nil && len(waits.Notes) == 0 && waits.Error == "" && waits.Unusable == nil {
		waits = nil
	}
	if len(k.Notes) == 0 && fault == nil && remembered == nil && unusable == nil && waits == nil {
		return
	}
	e := echoes(slices.Concat(was.Secrets(), k.Secrets(), brought(k.in)))
	k.Notes = e.findings(k.Notes)
	if remembered != nil {
		k.flow().Remembered = e.problem(remembered)
	}
	if unusable != nil {
		k.flow().Unusable = e.problem(unusable)
	}
	if waits != nil {
		p := *waits
		p.Error, p.Notes, p.Unusable = e.code(p.Error), e.findings(p.Notes), e.problem(p.Unusable)
		k.Challenge = &p
	}
	if fault != nil {
		f := *fault
		f.Problem, f.First, f.Peer = *e.problem(&f.Problem), e.problem(f.First), wire.Mask(f.Peer, e)
		k.Fault = &f
	}
}

// unquoted leaves out the scopes in which a peer quotes a secret, in any encoding, because
// scopes go into addresses, records and pages. A trace's shadow, which runs on stand-ins,
// makes the same decision, because the recorder replaces each secret with its stand-in.
func (k *step) unquoted(scopes []string) []string {
	if !slices.ContainsFunc(scopes, wire.MayQuote) {
		return scopes
	}
	rest := wire.Unquoted(scopes, slices.Concat(k.Secrets(), brought(k.in)))
	if len(rest) < len(scopes) {
		k.note(wire.Finding{Rule: rules.LogErrorEcho, Detail: "a secret stands among the scopes; what holds it is left out"})
	}
	return rest
}

// unquotedToken is a token without such scopes. If none are left, it counts as a token
// without stated scopes.
func (k *step) unquotedToken(tok wire.Token) wire.Token {
	if granted := k.unquoted(tok.Scopes); len(granted) < len(tok.Scopes) {
		tok.Scopes, tok.HasScope = granted, len(granted) > 0
	}
	return tok
}

// brought gives the secrets in an input.
func brought(in states.Input) []wire.Secret {
	switch in := in.(type) {
	case states.Responded:
		return wire.SecretsIn(in.Response.Body)
	case states.Redirected:
		return wire.SecretsInCallback(in.URL)
	}
	return nil
}

// echoes are the secrets that a peer may quote.
type echoes []wire.Secret

func (e echoes) findings(list []wire.Finding) []wire.Finding {
	for i, f := range list {
		if masked := wire.Mask(f.Detail, e); masked != f.Detail {
			list[i].Detail = masked
		}
	}
	return list
}

func (e echoes) code(c wire.ErrorCode) wire.ErrorCode { return wire.ErrorCode(wire.Mask(string(c), e)) }

func (e echoes) problem(p *wire.Problem) *wire.Problem {
	if p == nil {
		return nil
	}
	out := *p
	out.Detail = wire.Mask(p.Detail, e)
	if p.OAuth != nil {
		o := *p.OAuth
		o.Raw, o.Description, o.URI = wire.Mask(o.Raw, e), wire.Mask(o.Description, e), wire.Mask(o.URI, e)
		if len(o.Code) > longestCode || strings.Trim(string(o.Code), "abcdefghijklmnopqrstuvwxyz_") != "" {
			o.Code = e.code(o.Code) // it is none of the protocol's names
		}
		out.OAuth = &o
	}
	return &out
}

// longestCode is the length of the longest error code that a row reads.
const longestCode = len(wire.CodeAccountSelectionRequired)
