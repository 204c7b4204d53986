package explore

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

func notHTTPS(u string) string {
	if !strings.HasPrefix(u, "https://") {
		return "not https: " + wire.Clean(u, 80)
	}
	return ""
}

func safeURL(_ *moment, s states.Send) string {
	if s.Request.Method == "POST" && s.Hops != 0 {
		return "a POST may follow redirects"
	}
	return notHTTPS(s.Request.URL)
}

// resources are the identifiers that the configured server may have.
func (m *moment) resourceOK(list []string, legacy bool) string {
	c := m.r.Machine.Data.Config
	switch {
	case legacy && len(list) == 0:
		return ""
	case len(list) != 1:
		return "resource is there " + []string{"not at all", "once", "twice"}[min(len(list), 2)]
	case list[0] == c.Resource.String(), strings.HasPrefix(c.Resource.String(), strings.TrimSuffix(list[0], "/")+"/"), strings.TrimSuffix(list[0], "/") == strings.TrimSuffix(c.Resource.String(), "/"):
		return ""
	}
	return "resource is " + wire.Clean(list[0], 80)
}

func values(fs wire.Fields, name string) (out []string) {
	for _, f := range fs {
		if f.Name == name {
			out = append(out, f.Value)
		}
	}
	return out
}

func resourceSent(m *moment, s states.Send) string {
	d := &m.r.Machine.Data
	switch m.r.Machine.State {
	case states.Exchanging:
		return m.resourceOK(values(s.Request.Form, "resource"), d.Flow.Legacy)
	case states.Requesting, states.Presenting, states.StartingDevice, states.Polling, states.ExchangingIdentity, states.Redeeming:
		return m.resourceOK(values(s.Request.Form, "resource"), d.Flow.Legacy)
	case states.Refreshing, states.Renewing, states.PresentingAgain, states.ExchangingIdentityAgain, states.RedeemingAgain:
		return m.resourceOK(values(s.Request.Form, "resource"), d.Token().Revision == states.R1)
	default: // the others need nothing here
	}
	return ""
}

func query(address string) wire.Fields {
	_, q, _ := strings.Cut(address, "?")
	fs, _ := wire.DecodeForm(q)
	return fs
}

func resourceVisited(m *moment, v *states.Visit) string {
	return m.resourceOK(values(query(v.URL.Reveal()), "resource"), m.r.Machine.Data.Flow.Legacy)
}

func challengeFresh(m *moment, v *states.Visit) string {
	q := query(v.URL.Reveal())
	challenge, _ := q.Get("code_challenge")
	method, _ := q.Get("code_challenge_method")
	state, _ := q.Get("state")
	switch {
	case method != "S256" || len(challenge) != 43:
		return "the challenge is not by S256"
	case len(state) < 22:
		return "state is too short to be chance"
	}
	for _, t := range m.w.ghost.trips {
		if t.challenge == challenge || t.state == state {
			return "a challenge or a state is used for a second request"
		}
	}
	return ""
}

func verifierFits(m *moment, s states.Send) string {
	code, ok := s.Request.Form.Get("code")
	if !ok {
		return ""
	}
	verifier, _ := s.Request.Form.Get("code_verifier")
	if x := m.w.ghost.secret(code); x != nil && !x.foreign && !m.w.hostile(x.home) && x.challenge != wire.S256(verifier) {
		return "the verifier does not fit the challenge that the code answers"
	}
	return ""
}

func markedOnce(m *moment, s states.Send) string {
	grant, _ := s.Request.Form.Get("grant_type")
	registration := s.Request.Method == "POST" && s.Request.Form == nil
	once := registration || grant == "authorization_code" || grant == "refresh_token"
	if s.Once != once {
		return "Once does not say what the request is"
	}
	if grant == "refresh_token" {
		l := m.w.store.Held(m.w.at, m.actor().fence)
		if s.NotAfter.IsZero() || l != nil && s.NotAfter.Add(-m.actor().skew).After(l.Until) {
			return "the refresh may be sent after its lease has ended"
		}
	}
	return ""
}

// grantAtHome asks the servers who issued a token.
func grantAtHome(m *moment) string {
	if m.w.net == nil {
		return ""
	}
	for _, e := range m.r.Effects {
		g, ok := e.(states.Grant)
		if !ok {
			continue
		}
		t := m.w.net.Introspect(m.w.at, g.AccessToken.Reveal())
		if !t.Active || m.w.hostile(t.Issuer) {
			continue
		}
		if m.resourceOK(t.Audience, m.legacy()) != "" {
			return "the token is for " + strings.Join(t.Audience, " ")
		}
		if t.Subject == attacker {
			return "the token is of somebody else's login"
		}
	}
	return ""
}

// legacy says that the rows of 2025-03-26 gave the token.
func (m *moment) legacy() bool {
	d := &m.r.Machine.Data
	t := d.Token()
	if d.Obtained != nil {
		t = d.Obtained
	}
	return t != nil && t.Revision == states.R1
}

func freshGrant(m *moment) string {
	if m.r.Machine.State != states.Authorized || m.before.State == states.Authorized {
		return ""
	}
	// A new run tries once more what is stored, and a server may accept a token that it
	// had refused.
	again := m.before.State == states.Loading || m.before.State == states.Accepting
	for _, e := range m.r.Effects {
		g, ok := e.(states.Grant)
		switch {
		case !ok:
		case !g.Expires.IsZero() && !m.at.Before(g.Expires):
			if d := &m.r.Machine.Data; !d.Renewal().IsZero() && (d.WakeAt.IsZero() || d.WakeAt.After(m.at)) {
				return "the token that is handed out has expired, and nothing is done about it"
			}
		case !again && g.Generation == m.r.Machine.Data.Rejected && m.r.Machine.Data.Fault == nil:
			return "the token that is handed out was refused"
		}
	}
	return ""
}

func unbasic(raw string) (id, secret string, ok bool) {
	b, err := base64.StdEncoding.DecodeString(raw)
	if err != nil {
		return "", "", false
	}
	id, secret, ok = strings.Cut(string(b), ":")
	id, _ = url.QueryUnescape(id)
	secret, _ = url.QueryUnescape(secret)
	return id, secret, ok
}

// assertionFresh checks the assertion that a request carries.
func assertionFresh(m *moment, s states.Send) string {
	jws, ok := s.Request.Form.Get("client_assertion")
	if !ok {
		return ""
	}
	var claims struct {
		Aud string `json:"aud"`
		Iat int64  `json:"iat"`
		Exp int64  `json:"exp"`
	}
	parts := strings.Split(jws, ".")
	if len(parts) != 3 {
		return "the assertion is no JWS"
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(text, &claims) != nil {
		return "the claims of the assertion cannot be read"
	}
	switch {
	case slices.Contains(m.w.ghost.assertions, jws):
		return "an assertion is sent again"
	case claims.Aud != m.w.home(s.Request.URL):
		return "an assertion for " + wire.Clean(claims.Aud, 80) + " goes to " + s.Request.URL
	case claims.Exp-claims.Iat > int64(wire.AssertionLife.Seconds()):
		return "an assertion lives for longer than a minute"
	}
	return ""
}

// proofFresh checks the proof that a request carries.
func proofFresh(m *moment, s states.Send) string {
	fields := s.Request.Header.Header("DPoP")
	if len(fields) == 0 {
		return ""
	}
	p, bad := wire.ParseProof(fields)
	switch {
	case bad != nil:
		return bad.Detail
	case slices.Contains(m.w.ghost.proofs, fields[0]):
		return "a proof is sent again"
	}
	if bad := p.Judge(wire.ProofFor{Method: s.Request.Method, URLs: []string{s.Request.URL}, At: p.At}); bad != nil {
		return "a proof for another request goes to " + s.Request.URL + ": " + bad.Detail
	}
	return ""
}

func boundGrant(m *moment) string {
	for _, e := range m.r.Effects {
		g, ok := e.(states.Grant)
		switch {
		case !ok:
		case (g.Type == "DPoP") != (g.Thumbprint != ""):
			return "a token that is bound to a key is handed out as " + g.Type
		case g.Thumbprint == "" && m.r.Machine.Data.Config.Binding == states.RequireBinding:
			return "a token is handed out that is bound to no key"
		}
	}
	return ""
}

func visitedForNobody(m *moment, _ *states.Visit) string {
	if m.r.Machine.Data.Config.Unattended() {
		return "the user is sent to a browser, and there is none"
	}
	return ""
}

// asks checks the invariants of requests for one request.
func (w *world) asks(m *moment, s states.Send) {
	w.actors[m.i].sends(s)
	for _, inv := range w.sc.invariants {
		if inv.asked != nil {
			w.breaks(inv, inv.asked(m, s))
		}
	}
	for _, name := range []string{"client_assertion", "assertion"} {
		if jws, ok := s.Request.Form.Get(name); ok {
			w.ghost.assertions = append(slices.Clip(w.ghost.assertions), jws)
		}
	}
	w.ghost.proofs = append(slices.Clip(w.ghost.proofs), s.Request.Header.Header("DPoP")...)
}

// visits checks the invariants of authorization requests for one request, and remembers
// it.
func (w *world) visits(m *moment, v *states.Visit) {
	a := &w.actors[m.i]
	if a.visit != nil && a.visit.Serial == v.Serial {
		return // still the same visit
	}
	for _, inv := range w.sc.invariants {
		if inv.visited != nil {
			w.breaks(inv, inv.visited(m, v))
		}
	}
	q := query(v.URL.Reveal())
	challenge, _ := q.Get("code_challenge")
	state, _ := q.Get("state")
	a.trips++
	w.ghost.trips = append(slices.Clip(w.ghost.trips), trip{m.i, challenge, state, w.home(v.URL.Reveal())})
}
