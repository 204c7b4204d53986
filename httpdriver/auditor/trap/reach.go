package trap

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/states/wire"
)

// What the traps do that are about where a client looks, and whom it asks.

// unsigned puts TLS on a listener, with a certificate that is its own issuer.
func unsigned(ln net.Listener) (net.Listener, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	own := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, own, own, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return tls.NewListener(ln, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}), nil
}

// proxied answers what a client asks of the canary as its proxy. Only what is meant for
// a metadata service, or for a host that the faults name, is kept: other programs that the client starts may ask for anything.
func (s *stage) proxied(origin string, w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	if ip := address(host); s.trap.Proxied && s.roles[origin] == audit.RoleCanary && (ip != nil && ip.IsLinkLocalUnicast() || strings.HasSuffix(host, ".example")) {
		at := s.add(audit.Exchange{Leg: audit.LegOther, At: time.Since(s.began), Request: wire.Request{Method: r.Method, URL: origin + "/" + r.Host}})
		s.answer(at, &wire.Response{Status: http.StatusBadGateway})
	}
	w.WriteHeader(http.StatusBadGateway)
}

// address reads an IP address, also one that is written as a single number.
func address(host string) net.IP {
	if n, err := strconv.ParseUint(host, 10, 32); err == nil {
		return net.IPv4(byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return net.ParseIP(strings.Trim(host, "[]"))
}

// environment is what a trap adds to the client's environment.
func (s *stage) environment(home string) []string {
	temporary := filepath.Join(home, "tmp")
	_ = os.MkdirAll(temporary, 0o700)
	out := []string{"TMPDIR=" + temporary}
	if s.trap.Proxied {
		for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
			out = append(out, name+"="+s.canary)
		}
		for _, name := range []string{"NO_PROXY", "no_proxy"} {
			out = append(out, name+"=127.0.0.1,localhost,::1")
		}
		out = append(out, "NODE_USE_ENV_PROXY=1")
	}
	return out
}

// described replaces members of the resource's metadata.
func (s *stage) described(body []byte) []byte {
	var m map[string]json.RawMessage
	if len(s.trap.Resource) == 0 || json.Unmarshal(body, &m) != nil {
		return body
	}
	for name, v := range s.trap.Resource {
		m[name] = json.RawMessage(s.named(v))
	}
	out, _ := json.Marshal(m)
	return out
}

// elsewherePath is where the metadata is that only the challenge names.
const elsewherePath = "/stile-audit/.well-known/oauth-protected-resource/mcp"

// misplaced serves the resource's metadata at other addresses, and documents that name
// the other issuer at the usual ones, where the trap says so.
func (s *stage) misplaced(h http.Handler) http.Handler {
	if !s.trap.HeaderOnly && !s.trap.RootDecoy {
		return h
	}
	const usual = "/.well-known/oauth-protected-resource"
	decoy, _ := json.Marshal(map[string]any{"resource": s.resource, "authorization_servers": []string{s.other}, "scopes_supported": []string{"user"}})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wrong := r.URL.Path == usual || s.trap.HeaderOnly && strings.HasPrefix(r.URL.Path, usual)
		switch {
		case wrong:
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(decoy)
		case s.trap.HeaderOnly && r.URL.Path == elsewherePath:
			r.URL.Path = usual + "/mcp"
			h.ServeHTTP(w, r)
		case s.trap.HeaderOnly:
			b := &buffered{header: http.Header{}, status: http.StatusOK}
			h.ServeHTTP(b, r)
			for name, values := range b.header {
				for _, v := range values {
					w.Header().Add(name, strings.ReplaceAll(v, usual+"/mcp", elsewherePath))
				}
			}
			w.WriteHeader(b.status)
			_, _ = w.Write(b.body.Bytes())
		default:
			h.ServeHTTP(w, r)
		}
	})
}

func (s *stage) canKill(kill func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill = kill
}

// killing reports whether a refresh is the one during which the client is killed; it is
// killed before there is an answer.
func (s *stage) killing(body []byte) bool {
	form, _ := wire.DecodeForm(string(body))
	grant, _ := form.Get("grant_type")
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.trap.KillRefresh || grant != "refresh_token" || s.crashed > 0 || s.kill == nil {
		return false
	}
	s.crashed = s.run
	s.kill()
	return true
}

// wasKilled reports whether the trap has killed the client in this start.
func (s *stage) wasKilled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.crashed > 0 && s.crashed == s.run
}

var unreserved = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)

// seen notes what the text of secrets says, which the evidence does not keep. The
// caller holds the lock.
func (s *stage) seen() []string {
	var out []string
	note := func(what string) {
		if !slices.Contains(out, what) {
			out = append(out, what)
		}
	}
	for _, x := range s.all {
		form, _ := wire.DecodeForm(string(x.Request.Body))
		if v, has := form.Get("code_verifier"); has {
			if !unreserved.MatchString(v) {
				note(audit.SeenVerifierForm)
			}
			if poor(v) {
				note(audit.SeenVerifierPoor)
			}
		}
		if _, q, _ := strings.Cut(x.Request.URL, "?"); x.Request.Method == http.MethodGet {
			fields, _ := wire.DecodeForm(q)
			_, asks := fields.Get("response_type")
			if v, has := fields.Get("state"); has && asks && len(v) >= 16 && poor(v) {
				note(audit.SeenStatePoor)
			}
		}
	}
	s.assertions(note)
	s.proofs(note)
	for _, kind := range s.arguments {
		note(audit.SeenArguments + kind)
	}
	slices.Sort(out)
	return out
}

// assertions notes what is wrong with the assertions that the client authenticates with.
// The caller holds the lock.
func (s *stage) assertions(note func(string)) {
	ids := map[any]string{}
	for _, x := range s.all {
		form, _ := wire.DecodeForm(string(x.Request.Body))
		v, has := form.Get("client_assertion")
		if !has {
			continue
		}
		m := assertionClaims(v)
		id, named := form.Get("client_id")
		if m["iss"] != m["sub"] || m["iss"] == nil || named && m["iss"] != any(id) {
			note(audit.SeenAssertionClient)
		}
		base, _, _ := strings.Cut(x.Request.URL, "?")
		for _, aud := range list(m["aud"]) {
			if aud != any(s.issuer) && aud != any(s.other) && aud != any(base) {
				note(audit.SeenAssertionAudience)
			}
		}
		if len(list(m["aud"])) == 0 {
			note(audit.SeenAssertionAudience)
		}
		const most = 5*60 + 10 // seconds; clocks differ a little
		if exp, is := m["exp"].(float64); !is || int64(exp) > s.began.Add(x.At).Unix()+most {
			note(audit.SeenAssertionLife)
		}
		if other, seen := ids[m["jti"]]; m["jti"] == nil || seen && other != v {
			note(audit.SeenAssertionID)
		}
		ids[m["jti"]] = v
		if strings.HasSuffix(v, ".") {
			note(audit.SeenAssertionNone)
		}
	}
}

// list gives the elements of a claim that may be one value or several.
func list(v any) []any {
	if all, is := v.([]any); is {
		return all
	}
	if v == nil {
		return nil
	}
	return []any{v}
}

// poor reports whether a value has so few different characters that it cannot have been
// drawn: 16 random ones of hexadecimal digits have nine or more, but once in a million.
func poor(v string) bool {
	different := map[rune]bool{}
	for _, r := range v {
		different[r] = true
	}
	return len(different) < 6
}

// looks takes requests for an authorization address that the browser opens as well out
// of the logins: some clients look at the address themselves, to see whether the issuer
// still knows them.
func looks(all []audit.Exchange) {
	browser := func(x audit.Exchange) bool {
		return slices.Contains(x.Request.Header.Header("User-Agent"), audit.Browser)
	}
	for i := range all {
		x := &all[i]
		if x.Leg == audit.LegAuthorize && !browser(*x) && slices.ContainsFunc(all, func(y audit.Exchange) bool {
			return y.Run == x.Run && y.Request.URL == x.Request.URL && browser(y)
		}) {
			x.Leg = audit.LegOther
		}
	}
}
