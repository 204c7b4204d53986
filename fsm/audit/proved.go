package audit

import (
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/wire"
)

// needsProof reports whether only requests with a proof of possession get tokens: the
// resource says so, or a request without one was refused for it.
func (e *Evidence) needsProof() bool {
	return e.demandsProofs() || slices.ContainsFunc(e.legs(LegToken, LegRefresh), (*Exchange).lacksProof)
}

// lacksProof reports whether a request was refused because it had no proof.
func (x *Exchange) lacksProof() bool {
	if x == nil || len(x.sent("DPoP")) > 0 || x.Leg == LegMCP {
		return false
	}
	code := x.proofError()
	return code == "invalid_dpop_proof" || code == "use_dpop_nonce"
}

// proved adds what servers demand that take bound tokens alone: a proof to a request for a
// token, and scheme and proof to a call with a bound token. The checks of proofs make their
// own.
func (e *Evidence) proved(p Probe) Probe {
	if e.Key == nil || p.Timed != nil || strings.HasPrefix(p.Label, probeProof) || !slices.Contains(e.proofLists(), proofAlg) || !e.needsProof() {
		return p
	}
	r, token := p.Request, ""
	_, asks := r.Form.Get("grant_type") // also a poll of the device grant
	switch {
	case asks:
	case p.Leg == LegMCP:
		at := slices.IndexFunc(r.Header, func(f wire.Field) bool { return f.Name == "Authorization" })
		if at < 0 {
			return p
		}
		scheme, value, _ := strings.Cut(r.Header[at].Value, " ")
		if token = value; !strings.EqualFold(scheme, "Bearer") || !e.gaveBound(token) {
			return p
		}
		written := "DPoP"
		if scheme == strings.ToLower(scheme) {
			written = "dpop"
		}
		r.Header = slices.Clone(r.Header)
		r.Header[at].Value = written + " " + token
	default:
		return p
	}
	// A request that repeats another one may hold the proof of that.
	r.Header = slices.DeleteFunc(slices.Clone(r.Header), func(f wire.Field) bool { return f.Name == "DPoP" })
	made := e.proven(p.Label, p.Leg, r, token, good)
	p.Request, p.Timed = r, made.Timed
	return p
}

// gaveBound reports whether a token was given as one that is bound to a key.
func (e *Evidence) gaveBound(token string) bool {
	return slices.ContainsFunc(e.legs(LegToken, LegRefresh), func(x *Exchange) bool {
		return token != "" && x.says("access_token") == token && strings.EqualFold(x.says("token_type"), "DPoP")
	})
}

// unproved takes findings of a live audit back that found nothing but the demand for a proof:
// it says nothing of what the check asks. Other findings on such an answer stay, as that it
// may be stored.
func (j *judgement) unproved() {
	if j.v.Outcome != Fail || !j.e.live() || strings.HasPrefix(j.check.ID, "ext.dpop") {
		return
	}
	kept := slices.DeleteFunc(slices.Clone(j.v.Findings), func(f Finding) bool {
		if f.Exchange == 0 {
			return false
		}
		x := &j.e.Exchanges[f.Exchange-1]
		return x.lacksProof() && strings.Contains(f.Got, x.proofError())
	})
	if len(kept) == len(j.v.Findings) {
		return
	}
	if j.v.Findings = kept; len(kept) == 0 {
		j.v.Outcome = Pass
		j.end(CouldNotRun, "the issuer answers requests with a proof of possession only (ext.dpop-token)")
	}
}

// planProofless asks for one more token, without a proof, and calls with it a server that
// says that it takes bound tokens alone.
func (e *Evidence) planProofless() []Probe {
	if !e.demandsProofs() {
		return nil
	}
	out, ok := planGrant(e, "proofless")
	if !ok {
		return out
	}
	out = append(out, Probe{Label: proofless, Leg: LegToken, Request: e.right("proofless")})
	x := e.probe(proofless)
	if x == nil || !gives(x) {
		return out
	}
	return append(out, Probe{Label: proofless + ".call", Leg: LegMCP, Request: called(e, x.says("access_token"))})
}
