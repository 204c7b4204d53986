package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// proofChecks log in with a proof of possession (RFC 9449) and use the bound token,
// where the issuer offers that.
var proofChecks = []Check{
	{ID: "ext.dpop-token", Rules: []rules.ID{rules.ExtDPoPTokenProof, rules.ExtDPoPType, rules.ExtDPoPASNonce}, Severity: Medium, Safety: Login, Threat: Takeover,
		Does:   "Logs in once more and sends a proof of possession with the code, where the issuer lists algorithms for proofs.",
		Passes: "The token is of type DPoP, after one nonce at most.",
		Why:    "A client that wants a bound token cannot use another one, and one that is asked for a nonce again and again gives up.",
		Fix:    "Bind the token to the key of the proof, answer token_type DPoP, and accept the nonce that was sent last.",
		plan:   planProof, judge: judgeBoundToken},
	{ID: "ext.dpop-rs", Rules: []rules.ID{rules.ExtDPoPRSValidate, rules.ExtDPoPRS401, rules.ExtDPoPOneHeader, rules.ExtDPoPProofForm}, Severity: High, Safety: Login, Threat: Takeover,
		Does:   "Calls the server with the bound token and a good proof, and then with proofs that each have one defect.",
		Passes: "The good proof is let in, and every other one is answered 401 with a DPoP challenge that has an error.",
		Why:    "A proof that is not checked closely protects nothing: anyone who has seen one request can make another.",
		Fix:    "Make every check of RFC 9449 §4.3, compare the key with cnf.jkt, and remember jti for as long as iat is accepted.",
		plan:   planProof, judge: judgeProofs},
	{ID: "ext.dpop-down", Rules: []rules.ID{rules.ExtDPoPNoDowngrade}, Severity: Critical, Safety: Login, Threat: Takeover,
		Does:   "Sends the bound token as a bearer token, without a proof.",
		Passes: "The answer is 401.",
		Why:    "A thief would leave the proof out.",
		Fix:    "Refuse a token that has cnf.jkt, or whose introspection has it, if it comes without a proof (RFC 9449 §7.2).",
		plan:   planProof, judge: judgeDowngrade},
	{ID: "ext.dpop-rt", Rules: []rules.ID{rules.ExtDPoPRefreshKey}, Severity: High, Safety: Destructive, Threat: Takeover,
		Does:   "Spends the refresh token of that login without a proof and with a proof by another key, and then with the right key.",
		Passes: "The first two are refused, for a client without a secret.",
		Why:    "A refresh token that leaks would be good for everybody.",
		Fix:    "Bind the refresh tokens of public clients to the key of the first proof (RFC 9449 §5).",
		plan:   planProofKey, judge: judgeProofKey},
}

// The labels of the login with a proof.
const (
	probeProof = "dpop."
	proofAlg   = "ES256" // what the keys of an audit sign with
	proofToken = probeProof + "token"
	proofCall  = probeProof + "call"
	proofDown  = probeProof + "down"
	proofBad   = probeProof + "bad."
	proofless  = probeProof + "proofless"
	retried    = ".again" // ends the label of a request that is repeated with a nonce
)

// proofLists gives the algorithms that the issuer lists for proofs.
func (e *Evidence) proofLists() []string {
	m, _ := e.home()
	algs, _, _ := m.obj.Strings("dpop_signing_alg_values_supported")
	return algs
}

// offProof is how far iat is off in a proof with that defect: a minute more than the
// five that are allowed, so that clocks may differ a little.
const offProof = wire.ProofWindow + time.Minute

// forge is a proof in the making: what a good one for the request is made from.
type forge struct {
	e    *Evidence
	with wire.ProofParams
}

// signed signs a header and claims with the audit's key.
func (f forge) signed(change func(header, claims string) (string, string)) []string {
	return []string{f.e.Key.Sign(change(wire.Proof(f.with)))}
}

func unchanged(header, claims string) (string, string) { return header, claims }

// lacks leaves a member out of the claims; the good claims have it once.
func lacks(name string) func(f forge) []string {
	return func(f forge) []string {
		return f.signed(func(h, c string) (string, string) { return h, strings.Replace(c, `"`+name+`"`, `"stile_audit"`, 1) })
	}
}

// defects are the proofs that a resource server has to refuse, by name. All but the
// first are given; the fields of the header come out.
var defects = []struct {
	name, says string
	severity   Severity // if it is not the check's
	rule       rules.ID
	proof      func(f forge) []string
}{
	{"typ", "whose typ is not dpop+jwt", "", rules.ExtDPoPProofForm, func(f forge) []string {
		return f.signed(func(h, c string) (string, string) { return strings.Replace(h, `"dpop+jwt"`, `"JWT"`, 1), c })
	}},
	{"htm", "for another method", "", rules.ExtDPoPRSValidate, func(f forge) []string {
		f.with.Method = "DELETE"
		return f.signed(unchanged)
	}},
	{"htu", "for another address", "", rules.ExtDPoPRSValidate, func(f forge) []string {
		f.with.URL = "https://" + canary + "/mcp"
		return f.signed(unchanged)
	}},
	{"ath", "for another token", "", rules.ExtDPoPRSValidate, func(f forge) []string {
		f.with.Token = madeUp
		return f.signed(unchanged)
	}},
	{"no-ath", "without ath", "", rules.ExtDPoPProofForm, lacks("ath")},
	{"no-jti", "without jti", Medium, rules.ExtDPoPProofForm, lacks("jti")},
	{"no-iat", "without iat", "", rules.ExtDPoPProofForm, lacks("iat")},
	{"old", "that is six minutes old", Medium, rules.ExtDPoPRSValidate, func(f forge) []string {
		f.with.At = f.with.At.Add(-offProof)
		return f.signed(unchanged)
	}},
	{"ahead", "from six minutes ahead", Medium, rules.ExtDPoPRSValidate, func(f forge) []string {
		f.with.At = f.with.At.Add(offProof)
		return f.signed(unchanged)
	}},
	{"replayed", "that was used before", Medium, rules.ExtDPoPRSValidate, func(f forge) []string { return f.e.lastProof().sent("DPoP") }},
	{"private", "that holds a private key", Medium, rules.ExtDPoPProofForm, func(f forge) []string {
		f.with.Key = strings.TrimSuffix(f.with.Key, "}") + `,"d":"c3RpbGUtYXVkaXQ"}`
		return f.signed(unchanged)
	}},
	{"twice", "beside a second one", Medium, rules.ExtDPoPOneHeader, func(f forge) []string {
		one := f.signed(unchanged)
		f.with.ID += "2"
		return append(one, f.signed(unchanged)...)
	}},
	{"none", "that nobody signed", "", rules.ExtDPoPProofForm, func(f forge) []string {
		f.with.Alg = "none"
		h, c := wire.Proof(f.with)
		return []string{segment(h) + "." + segment(c) + "."}
	}},
	{"hs", "that is signed with a secret it holds itself", "", rules.ExtDPoPProofForm, func(f forge) []string {
		f.with.Alg, f.with.Key = "HS256", `{"kty":"oct","k":"c3RpbGUtYXVkaXQ"}`
		h, c := wire.Proof(f.with)
		text := segment(h) + "." + segment(c)
		mac := hmac.New(sha256.New, []byte(ours))
		mac.Write([]byte(text))
		return []string{text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))}
	}},
	{"signature", "whose signature is not good", "", rules.ExtDPoPRSValidate, func(f forge) []string {
		h, c := wire.Proof(f.with)
		f.with.ID += "2"
		other := f.signed(unchanged)[0] // a signature of other claims
		return []string{segment(h) + "." + segment(c) + other[strings.LastIndexByte(other, '.'):]}
	}},
	{"key", "by another key", "", rules.ExtDPoPRSValidate, func(f forge) []string {
		f.with.Key = f.e.Stranger.Public()
		return []string{f.e.Stranger.Sign(wire.Proof(f.with))}
	}},
}

// lastProof is the call with a good proof that was made last.
func (e *Evidence) lastProof() *Exchange { return e.last(proofCall) }

// last is a request that may have been repeated with a nonce: the last one that was
// made; nil if there is none.
func (e *Evidence) last(label string) *Exchange {
	if x := e.probe(label + retried); x != nil {
		return x
	}
	return e.probe(label)
}

// nonce is the newest nonce that was given at an origin.
func (e *Evidence) nonce(origin string) string {
	for i := len(e.Exchanges) - 1; i >= 0; i-- {
		x := &e.Exchanges[i]
		if x.Response != nil && wire.Origin(x.Request.URL) == origin {
			if n := wire.ProofNonce(*x.Response); n != "" {
				return n
			}
		}
	}
	return ""
}

// proven is a probe whose request gets its proof at the moment when it is sent.
func (e *Evidence) proven(label string, leg Leg, r wire.Request, token string, proof func(f forge) []string) Probe {
	return Probe{Label: label, Leg: leg, Request: r, Timed: func(now time.Time) wire.Request {
		out := r
		out.Header = slices.Clone(r.Header)
		for _, v := range proof(forge{e, wire.ProofParams{Method: r.Method, URL: r.URL, ID: e.draw(label + now.UTC().String()), At: now,
			Nonce: e.nonce(wire.Origin(r.URL)), Token: wire.Secret(token), Alg: proofAlg, Key: e.Key.Public()}}) {
			out.Header = append(out.Header, wire.Field{Name: "DPoP", Value: v, Secret: true})
		}
		return out
	}}
}

// withNonce repeats a request with a nonce if the server asks for one.
func (e *Evidence) withNonce(p Probe) []Probe {
	out := []Probe{p}
	if x := e.probe(p.Label); x != nil && x.wantsNonce() && wire.ProofNonce(*x.Response) != "" {
		p.Label += retried
		out = append(out, p)
	}
	return out
}

// wantsNonce reports whether an answer asks for another nonce.
func (x *Exchange) wantsNonce() bool { return x.proofError() == "use_dpop_nonce" }

// proofError is the error of a token endpoint, or that of a DPoP challenge.
func (x *Exchange) proofError() string {
	if x == nil || x.Response == nil {
		return ""
	}
	if x.Leg == LegMCP {
		all, _ := wire.ParseChallenges(x.Response.Header)
		for _, a := range all {
			if strings.EqualFold(a.Scheme, "dpop") {
				code, _ := a.Get("error")
				return code
			}
		}
		return ""
	}
	if e := wire.ParseOAuthError(*x.Response); e != nil {
		return string(e.Code)
	}
	return ""
}

// good is a proof without a defect.
func good(f forge) []string { return f.signed(unchanged) }

// bound gives the bound token of the login with a proof.
func (e *Evidence) bound() (token string, ok bool) {
	x := e.last(proofToken)
	if x == nil {
		return "", false
	}
	kind, _ := e.member(x.Probe, "token_type")
	token, ok = e.member(x.Probe, "access_token")
	return token, ok && strings.EqualFold(kind, "DPoP")
}

// planProof logs in with a proof and calls the server: with a good proof, with each
// defect, without any proof, and with the token as a bearer token.
func planProof(e *Evidence) []Probe {
	out := planASM(e)
	if e.Account == nil || e.Key == nil || e.Stranger == nil || !answered(e, out) || !slices.Contains(e.proofLists(), proofAlg) {
		return out
	}
	out, ok := planGrant(e, "dpop")
	if !ok {
		return out
	}
	out = append(out, e.withNonce(e.proven(proofToken, LegToken, e.right("dpop"), "", good))...)
	token, ok := e.bound()
	if !ok {
		return out
	}
	call := with(post(e.Target, "2025-11-25", "", initialize), "Authorization", "DPoP "+token)
	out = append(out, e.withNonce(e.proven(proofCall, LegMCP, call, token, good))...)
	out = append(out, Probe{Label: proofDown, Leg: LegMCP, Request: called(e, token)})
	if x := e.lastProof(); x == nil || !letIn(x) {
		return out
	}
	out = append(out, Probe{Label: proofBad + "absent", Leg: LegMCP, Request: call})
	for _, d := range defects {
		out = append(out, e.proven(proofBad+d.name, LegMCP, call, token, d.proof))
	}
	return append(out, e.planProofless()...)
}

// planProofKey spends the refresh token of that login: without a proof, with a proof by
// another key, and at last as its client does.
func planProofKey(e *Evidence) []Probe {
	out := planProof(e)
	if _, ok := e.bound(); !ok || !answered(e, out) || e.Account.ClientSecret != "" {
		return out
	}
	refresh := e.newest(proofToken, proofToken+retried)
	if refresh == "" {
		return out
	}
	spend := e.refreshRequest(refresh, "")
	out = append(out, Probe{Label: probeProof + "refresh.bare", Leg: LegRefresh, Request: spend})
	if x := e.probe(probeProof + "refresh.bare"); x == nil || gives(x) { // the token is spent
		return out
	}
	other := e.proven(probeProof+"refresh.other", LegRefresh, spend, "", defects[len(defects)-1].proof)
	out = append(out, e.withNonce(other)...)
	if x := e.last(other.Label); x == nil || gives(x) {
		return out
	}
	return append(out, e.withNonce(e.proven(probeProof+"refresh.right", LegRefresh, spend, "", good))...)
}
