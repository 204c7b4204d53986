// Package proving runs the audit against servers whose mistakes are known: the peer
// with each of its named faults. docs/audit-matrix.md shows what it finds, and the
// tests of the checks compare with it.
//
//	_, report, err := proving.Run(proving.Checks(), "asm-issuer-mismatch")
//
// # Guarantees
//
//   - The same faults give the same report, byte for byte.
//
// # Who should not use it
//
// An audit of a real server: package httpdriver/auditor sends the requests.
package proving

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/states/wire"
)

const (
	target = "https://mcp.example/mcp"
	issuer = "https://as.example"
	other  = "https://other.example/mcp"
	tool   = "stile_audit_tool"
	behind = "https://origin.example/mcp" // the server without the proxies in front of it
)

// jwtBearer is the grant of RFC 7523 §2.1.
const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// second is the user who logs in beside the first one.
const second = "second"

// private is a document in a private network.
const private = "https://private.example/stile-audit/client.json"

// published is an RSA key that nobody has the private half of.
var published = `{"kty":"RSA","kid":"2","use":"sig","alg":"RS256","e":"AQAB","n":"` + strings.Repeat("A", 342) + `"}`

const (
	redirect = "http://127.0.0.1:4711/callback"
	listener = "https://canary.example"
)

// key stands in for a key of the audit, by its name. What it signs is accepted only by
// the servers of a world.
type key string

const (
	own      key = "c3RpbGUtYXVkaXQ"
	stranger key = "c3RyYW5nZXI"
	client   key = "Y2xpZW50"
	provider key = "cHJvdmlkZXI"
	platform key = "cGxhdGZvcm0"
	server   key = "c2VydmVy"
)

func (k key) Public() string {
	return `{"kty":"EC","crv":"P-256","x":"` + string(k) + `","y":"` + string(k) + `"}`
}

func (key) Named() (alg, kid string) { return "ES256", "" }

func (k key) Sign(header, claims string) string {
	b := base64.RawURLEncoding
	text := b.EncodeToString([]byte(header)) + "." + b.EncodeToString([]byte(claims))
	return text + "." + b.EncodeToString(seal(text, k.set()))
}

// set is the key as a JWK set.
func (k key) set() []byte { return []byte(`{"keys":[` + k.Public() + `]}`) }

// seal is a signature that names its key: a digest of both, as long as one by RSA.
func seal(text string, jwks []byte) []byte {
	sum := sha256.Sum256(append([]byte(text+" "), jwks...))
	return bytes.Repeat(sum[:], 8)
}

// verify accepts what a key of a set has signed by Sign.
func verify(jws string, jwks []byte) (header, claims []byte, ok bool) {
	var parts [3][]byte
	for i, p := range strings.SplitN(jws, ".", 3) {
		var err error
		if parts[i], err = base64.RawURLEncoding.DecodeString(p); err != nil {
			return nil, nil, false
		}
	}
	return parts[0], parts[1], bytes.Equal(parts[2], seal(jws[:strings.LastIndexByte(jws, '.')], jwks))
}

// start is when every run begins; a run has no other clock.
var start = time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)

// World is a well-behaved pair of servers, or one with faults.
func World(faults ...string) (peer.World, error) {
	as, rs, err := peer.Side(faults)
	if err != nil {
		return peer.World{}, err
	}
	a, err := peer.NewAS(peer.ASConfig{Issuer: issuer, Resources: []string{target, other}, Scopes: []string{"user", "files", "admin", "billing"},
		DCR: true, CIMD: true, Iss: true, Device: true, DeviceAsks: true, AutoConsent: true, Users: []peer.User{{Name: "user"}, {Name: second}}, RefreshRotation: true, RefreshGrace: 3 * time.Second, DPoP: peer.DPoPOffered, Verify: verify, Faults: as,
		ClientCredentials: true, Clients: []peer.PreClient{{ID: "stile-audit-rs", Secret: "stile-audit-rs-secret", Introspect: true},
			{ID: "stile-audit-cc", Method: "private_key_jwt", JWKS: client.set(), GrantTypes: []string{"client_credentials", jwtBearer}}},
		Trusted: []peer.Trusted{{Issuer: "https://idp.example", JWKS: provider.set()}, {Issuer: "https://ci.example", JWKS: platform.set(), Workloads: true}},
		Sign:    func(header, claims []byte) string { return server.Sign(string(header), string(claims)) }, SignAlg: "ES256", SignKeyID: "1",
		JWKS: []byte(`{"keys":[{"kty":"EC","crv":"P-256","kid":"1","use":"sig","alg":"ES256","x":"` + string(server) + `","y":"` + string(server) + `"},` + published + `]}`)})
	if err != nil {
		return peer.World{}, err
	}
	r, err := peer.NewRS(peer.RSConfig{Resource: target, AuthorizationServers: []string{issuer}, Scopes: []string{"user", "files"}, ScopesSupported: []string{"user", "files", "admin", "billing"},
		Sessions: true, SameOrigin: true, DPoP: peer.DPoPOffered, Verify: verify, Faults: rs,
		Rules: []peer.ScopeRule{{Tool: tool, Scopes: []string{"admin"}}}})
	if err != nil {
		return peer.World{}, err
	}
	w := peer.World{AS: []*peer.AS{a}, RS: []*peer.RS{r}}
	for path, resp := range audit.Documents(listener, redirect, own) {
		w.Documents = append(w.Documents, peer.Document{URL: listener + path, Response: resp})
	}
	w.Documents = append(w.Documents, peer.Document{URL: private, Private: true, Response: wire.Response{Status: 200, Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}},
		Body: []byte(`{"client_id":"` + private + `","client_name":"Inner","redirect_uris":["` + redirect + `"]}`)}})
	return w, nil
}

// Collect sends the probes of the checks to a world, one a second.
func Collect(w peer.World, checks []audit.Check) (audit.Evidence, error) {
	return collect(target, checks, func(at time.Time, p audit.Probe, x *audit.Exchange) []string { return answer(w, at, p, x) })
}

// collect asks send for the answers to the probes of the checks, and for the addresses of
// the audit's listener that the servers fetch meanwhile.
func collect(server string, checks []audit.Check, send func(time.Time, audit.Probe, *audit.Exchange) []string) (audit.Evidence, error) {
	e := audit.Evidence{Target: server, Origin: behind, Canary: listener, Key: own, Stranger: stranger, CCKey: client, IdPKey: provider, WorkloadKey: platform, Source: audit.LiveServer, Account: &audit.Account{
		RedirectURI: redirect, Private: "private.example", Seed: "0123456789abcdef0123456789abcdef", Other: other, Tool: tool, Consent: true, Another: true,
		IntrospectID: "stile-audit-rs", IntrospectSecret: "stile-audit-rs-secret", CCClient: "stile-audit-cc",
		IdP: "https://idp.example", IdPSubject: "user", Workload: "https://ci.example", WorkloadSubject: "job", Slow: true}}
	at := start
	for range 500 {
		p, more := audit.Next(&e, checks)
		if !more {
			return e, nil
		}
		at = later(at.Add(time.Second), start.Add(p.NotBefore))
		x := audit.Exchange{Probe: p.Label, Leg: p.Leg, Issuer: p.Issuer, At: at.Sub(start), Request: p.Request, Clock: at,
			TLS: &audit.TLS{Version: "1.3", NotAfter: start.AddDate(1, 0, 0)}}
		if p.Timed != nil {
			x.Request = p.Timed(at)
			p.Request = x.Request
		}
		fetched := send(at, p, &x)
		e.Add(x)
		if p.Twice {
			x.Probe += audit.Second
			send(at, p, &x)
			e.Add(x)
		}
		for _, url := range fetched {
			e.Add(audit.Exchange{Probe: fmt.Sprintf("canary.%d", len(e.Exchanges)), Leg: audit.LegCanary, At: x.At, Clock: at, Request: wire.Request{Method: "GET", URL: url}})
		}
	}
	return e, fmt.Errorf("the plan does not end")
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// answer asks the world. On a visit, the browser lands where the answer sends it. fetched
// is what the servers read from the audit's listener.
func answer(w peer.World, at time.Time, p audit.Probe, x *audit.Exchange) (fetched []string) {
	if p.Leg == audit.LegNames {
		x.Addresses, x.TLS = []string{"203.0.113.7"}, nil // an address for documentation stands for a public one
		return nil
	}
	if p.Request.URL == behind {
		p.Request.URL = target
	}
	ask := p.Request
	switch p.Manner {
	case audit.Idle: // AutoConsent is a user who consents, and this one does not
		for i, a := range w.AS {
			w.AS = slices.Clone(w.AS)
			w.AS[i] = a.Asking()
		}
	case audit.Another:
		ask.URL += "&login_hint=" + second
	case audit.Consents, audit.Denies: // as the world is made
	}
	for _, a := range w.AS {
		if url := a.Needs(at, ask); strings.HasPrefix(url, listener) {
			fetched = append(fetched, url)
		}
	}
	resp, found := w.Answer(at, ask)
	if strings.HasPrefix(ask.URL, "http:") {
		x.TLS = nil
		if !found {
			x.Failure = "unsent: refused"
			return fetched
		}
	}
	if !p.Visit {
		x.Response = &resp
		return fetched
	}
	x.Sent = p.Request.URL
	to := resp.Header.Header("Location")
	switch {
	case len(to) == 1 && p.Manner == audit.Idle && !strings.HasPrefix(to[0], redirect):
		x.Waits, x.Page = true, true
	case len(to) == 1 && p.Manner == audit.Denies:
		head, rest, _ := strings.Cut(to[0], "code=")
		_, rest, _ = strings.Cut(rest, "&")
		x.Request = wire.Request{Method: "GET", URL: head + "error=access_denied&" + rest}
	case len(to) == 1:
		x.Request = wire.Request{Method: "GET", URL: to[0]}
	default:
		x.Failure = "nobody came back"
	}
	return fetched
}
