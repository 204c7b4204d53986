package peer

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Tokens that are bound to a key of the client (DPoP, RFC 9449), on both sides.

// DPoP is whether a server takes proofs of possession.
type DPoP string

// What a server does about proofs.
const (
	NoDPoP       DPoP = ""         // it does not know them
	DPoPOffered  DPoP = "offered"  // tokens are bound where the client proves a key
	DPoPRequired DPoP = "required" // there are no others
)

// proofAlgs are the algorithms that proofs may be signed with.
var proofAlgs = []string{"ES256", "EdDSA", "RS256", "PS256"}

// nonceLife is how long a nonce is the newest; the one before it is still accepted.
const nonceLife = 5 * time.Minute

// nonceOf is the nonce of a server at a time: none has to be stored.
func nonceOf(seed []byte, server string, at time.Time) string {
	m := hmac.New(sha256.New, append([]byte("nonce "), seed...))
	m.Write([]byte(server))
	m.Write(binary.BigEndian.AppendUint64(nil, uint64(at.Unix()/int64(nonceLife/time.Second))))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:12])
}

// proving is what a proof is judged by.
type proving struct {
	verify func(jws string, jwks []byte) (header, claims []byte, ok bool)
	at     time.Time
	req    wire.Request
	urls   []string
	token  string
	jkt    string // of the key that the token is bound to
	nonces []string
	used   func(key string, life time.Duration) bool
}

// judge says what is wrong with the proof of a request, as an error code; "" when it is
// good.
func (p proving) judge() (proof wire.ReadProof, code string, rule rules.ID, detail string) {
	proof, bad := wire.ParseProof(p.req.Header.Header("DPoP"))
	if bad != nil {
		return proof, "invalid_dpop_proof", bad.Rule, bad.Detail
	}
	set := slices.Concat([]byte(`{"keys":[`), proof.Key, []byte(`]}`))
	if _, _, ok := p.verify(p.req.Header.Header("DPoP")[0], set); !ok || !slices.Contains(proofAlgs, proof.Alg) {
		return proof, "invalid_dpop_proof", rules.ExtDPoPProofForm, "the signature of the proof is not good, or its algorithm is not accepted"
	}
	if bad := proof.Judge(wire.ProofFor{
		Method: p.req.Method, URLs: p.urls, At: p.at, Token: wire.Secret(p.token), Thumbprint: p.jkt,
	}); bad != nil {
		return proof, "invalid_dpop_proof", bad.Rule, bad.Detail
	}
	if p.nonces != nil && !slices.Contains(p.nonces, proof.Nonce) {
		return proof, "use_dpop_nonce", rules.ExtDPoPNonceScope, "the proof needs a nonce of this server"
	}
	if p.used("proof "+hash(proof.Thumbprint + "\x00" + proof.ID)[:32], 2*wire.ProofWindow) {
		return proof, "invalid_dpop_proof", rules.ExtDPoPFresh, "the proof was used before"
	}
	return proof, "", "", ""
}

// clock is the time that proofs are judged by: with the fault, that of a server
// whose clock is an hour ahead.
func clock(at time.Time, ahead bool) time.Time {
	if ahead {
		return at.Add(time.Hour)
	}
	return at
}

// nonces are those that are good now, the newest first; nil where none is demanded.
func (a *AS) nonces(at time.Time) []string {
	if !a.config.DPoPNonces {
		return nil
	}
	return []string{nonceOf(a.config.Seed, a.config.Issuer, at), nonceOf(a.config.Seed, a.config.Issuer, at.Add(-nonceLife))}
}

// possession finds out which key the client of a token request has (RFC 9449 §5), for
// the token to be bound to; "" when it proves none.
func (a *AS) possession(c call) (jkt string, refused *reply) {
	if a.config.DPoP == NoDPoP {
		return "", nil
	}
	no := func(code string, rule rules.ID, detail string) (string, *reply) {
		return "", problem(400, code, detail).breaks(rule)
	}
	if len(c.req.Header.Header("DPoP")) == 0 {
		if a.config.DPoP == DPoPRequired {
			return no("invalid_dpop_proof", rules.ExtDPoPBoundFlag, "a proof is missing")
		}
		return "", nil
	}
	if a.faulty("dpop-ignored") {
		return "", nil
	}
	a.ahead = a.faulty("dpop-clock-ahead")
	proof, code, rule, detail := proving{
		verify: a.config.Verify, at: clock(c.at, a.ahead), req: c.req, nonces: a.nonces(c.at),
		urls: []string{a.config.base() + a.at("/token")},
		used: func(key string, life time.Duration) bool { return a.state.count(c.at, key, life) > 1 },
	}.judge()
	switch {
	case code != "":
		return no(code, rule, detail)
	case a.faulty("dpop-nonce-endless"):
		_, r := no("use_dpop_nonce", rules.ExtDPoPNonceScope, "the proof needs another nonce")
		r.set("DPoP-Nonce", a.draw("nonce")[:16])
		return "", r
	}
	return proof.Thumbprint, nil
}

// proved adds what proofs need to an answer of the token endpoint.
func (a *AS) proved(c call, r *reply) {
	if list := a.nonces(c.at); list != nil && len(r.header.Header("DPoP-Nonce")) == 0 {
		r.set("DPoP-Nonce", list[0])
	}
	if a.ahead {
		r.set("Date", httpDate(clock(c.at, true)))
	}
}

func httpDate(at time.Time) string { return at.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT") }

// scheme reads the scheme of a request's Authorization field, and what follows it.
func (s *RS) scheme(field string) (bound bool, token string, ok bool) {
	name, token, _ := strings.Cut(field, " ")
	if s.config.DPoP != NoDPoP && strings.EqualFold(name, "DPoP") {
		return true, token, true
	}
	if name != "Bearer" && strings.EqualFold(name, "Bearer") && s.faulty("bearer-case") {
		return false, token, false
	}
	return false, token, strings.EqualFold(name, "Bearer")
}

// possession judges the proof of a request with a token (RFC 9449 §7.1), and the
// absence of one.
func (s *RS) possession(at time.Time, req wire.Request, bound bool, token string, who Introspection) (code string, rule rules.ID, detail string) {
	switch {
	case !bound && who.Thumbprint != "" && !s.faulty("rs-dpop-unchecked"):
		return "invalid_token", rules.ExtDPoPNoDowngrade, "the token is bound to a key, and comes without a proof of it"
	case bound && who.Thumbprint == "", s.config.DPoP == DPoPRequired && who.Thumbprint == "":
		return "invalid_token", rules.ExtDPoPRSValidate, "the token is not bound to a key"
	case !bound:
		return "", "", ""
	}
	origin, _, _ := split(s.config.Resource)
	_, path, _ := split(req.URL)
	urls := []string{origin + path}
	if s.faulty("rs-dpop-htu") {
		urls = []string{"http://10.0.0.7:8080" + path}
	}
	var nonces []string
	if s.config.DPoPNonces {
		nonces = s.nonces(at)
	}
	s.ahead = s.faulty("rs-dpop-clock-ahead")
	_, code, rule, detail = proving{
		verify: s.config.Verify, at: clock(at, s.ahead), req: req, urls: urls, token: token, jkt: who.Thumbprint, nonces: nonces,
		used: func(key string, life time.Duration) bool {
			s.seen = slices.DeleteFunc(slices.Clone(s.seen), func(t tally) bool { return !at.Before(t.Until) })
			if slices.ContainsFunc(s.seen, func(t tally) bool { return t.Key == key }) {
				return true
			}
			s.seen = append(s.seen, tally{key, 1, at.Add(life)})
			return false
		},
	}.judge()
	if s.endless = code == "" && s.faulty("rs-dpop-nonce-endless"); s.endless {
		return "use_dpop_nonce", rules.ExtDPoPNonceScope, "the proof needs another nonce"
	}
	return code, rule, detail
}

func (s *RS) nonces(at time.Time) []string {
	return []string{nonceOf(nil, s.config.Resource, at), nonceOf(nil, s.config.Resource, at.Add(-nonceLife))}
}

// proved adds what proofs need to an answer.
func (s *RS) proved(at time.Time, req wire.Request, r *reply) {
	if s.config.DPoP == NoDPoP {
		return
	}
	switch {
	case s.endless:
		r.set("DPoP-Nonce", nonceOf([]byte(req.Header.Header("DPoP")[0]), s.config.Resource, at))
	case s.config.DPoPNonces:
		r.set("DPoP-Nonce", s.nonces(at)[0])
	}
	if s.ahead {
		r.set("Date", httpDate(clock(at, true)))
	}
}
