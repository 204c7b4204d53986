package httpdriver_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/keys"
	"github.com/stile-oauth/stile/states"
)

// describing is a host's signer that says anything about its key.
type describing struct {
	mute
	about states.SigningKey
}

func (d describing) About() states.SigningKey { return d.about }

// TestSignersThatSayNothingSound: what a signer gives as its public key goes out with every
// proof, so a private or a shared key is refused at the start, and so is what is no key or no
// algorithm. The error does not show it.
func TestSignersThatSayNothingSound(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk := func(key any) string {
		text, err := jose.JSONWebKey{Key: key}.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	set := func(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }
	public, shared := jwk(&private.PublicKey), jwk([]byte("shared-secret-of-the-host"))
	for name, c := range map[string]struct {
		alg, keys string
		ok        bool
	}{
		"public":      {"ES256", set(public), true},
		"private":     {"ES256", set(jwk(private)), false},
		"shared":      {"ES256", set(shared), false},
		"two":         {"ES256", set(public, public), false},
		"none":        {"ES256", set(), false},
		"nothing":     {"ES256", "", false},
		"not a set":   {"ES256", public, false},
		"one and a 5": {"ES256", `{"keys":[` + public + `],"keys":5}`, false},
		"no JSON":     {"ES256", "-----BEGIN", false},
		"no alg":      {"", set(public), false},
		"shared alg":  {"HS256", set(public), false},
		"without any": {"none", set(public), false},
	} {
		_, err := httpdriver.New(httpdriver.Options{
			Policy:      httpdriver.Policy{Binding: states.TryBinding},
			ProofSigner: describing{about: states.SigningKey{Name: "host", Alg: c.alg, Keys: c.keys}},
		})
		if (err == nil) != c.ok || err != nil && (!strings.Contains(err.Error(), "Options.ProofSigner") || strings.Contains(err.Error(), `"`+c.keys)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// failing is a key that can be switched to signatures that are none.
type failing struct {
	*keys.Key
	how *atomic.Pointer[string]
}

func (f failing) Sign(ctx context.Context, key, alg string, text []byte) ([]byte, error) {
	switch how := f.how.Load(); {
	case how == nil:
		return f.Key.Sign(ctx, key, alg, text)
	case *how == "":
		return nil, nil
	default:
		return nil, errors.New(*how)
	}
}

// closes is a body that tells that it was closed.
type closes struct {
	io.Reader
	closed *bool
}

func (c closes) Close() error { *c.closed = true; return nil }

// drawn is randomness that can be switched off.
type drawn struct{ off *atomic.Bool }

func (d drawn) Read(p []byte) (int, error) {
	if d.off.Load() {
		return 0, errors.New("no entropy")
	}
	return rand.Read(p)
}

// TestNoProof: a bound token is not sent without a proof. Where none can be made, the caller
// hears why, the body is closed, and nothing reaches the server.
func TestNoProof(t *testing.T) {
	_, key := keyed(t, "authorization_code")
	how, off := &atomic.Pointer[string]{}, &atomic.Bool{}
	w := newWorld(t, binding(states.RequireBinding, peer.DPoPRequired))
	d := w.driver(t, func(o *httpdriver.Options) { o.ProofSigner, o.Rand = failing{key, how}, drawn{off} })
	w.call(t, w.client(t, d))
	w.Tap.reset()
	rt, err := d.Transport(w.account(), nil)
	if err != nil {
		t.Fatal(err)
	}
	empty, away := "", "the module is away"
	for want, set := range map[string]func(){
		"the signature is empty": func() { how.Store(&empty) },
		away:                     func() { how.Store(&away) },
		"no entropy":             func() { off.Store(true) },
	} {
		set()
		closed := false
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.Server, closes{strings.NewReader(ping), &closed})
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := rt.RoundTrip(req); err == nil || !strings.Contains(err.Error(), want) || !closed { //nolint:bodyclose // there is none
			t.Errorf("%s: %v %v, body closed: %v", want, resp, err, closed)
		}
		how.Store(nil)
		off.Store(false)
	}
	if n := len(w.Tap.requests()); n != 0 {
		t.Errorf("sent without a proof:%s", w.Tap.list())
	}
	w.call(t, w.client(t, d))

	how.Store(&empty)
	if err := d.Login(t.Context(), w.account()); err == nil || !strings.Contains(err.Error(), "the signature is empty") {
		t.Errorf("a login: %v", err)
	}
}

// TestProofOfARequestWithoutAMethod: such a request is a GET (package net/http), and its proof
// is one for GET.
func TestProofOfARequestWithoutAMethod(t *testing.T) {
	w := newWorld(t, binding(states.RequireBinding, peer.DPoPRequired))
	rt, err := w.driver(t).Transport(w.account(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.Server, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Method = ""
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s", resp.Status)
		}
	}
	w.proofs(t)
}

// TestOtherChallengesBesideProofs: only a DPoP challenge is about the proof. An error of
// another scheme is not, so a revoked token is refreshed and not proven again; and a DPoP
// challenge is found behind others.
func TestOtherChallengesBesideProofs(t *testing.T) {
	w := newWorld(t, binding(states.RequireBinding, peer.DPoPRequired), func(s setup) {
		s.Wrap["rs"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				rw.Header().Add("WWW-Authenticate", `Basic realm="x", error="use_dpop_nonce"`)
				h.ServeHTTP(keepsFirst{rw}, r)
			})
		}
	})
	d := w.driver(t)
	c := w.client(t, d)
	w.call(t, c) // with the nonce, which the challenge behind the other asks for
	tok, err := d.Token(t.Context(), w.account())
	if err != nil {
		t.Fatal(err)
	}
	w.revoke(t, tok.AccessToken)
	w.Tap.reset()
	w.call(t, c)
	if n := w.Tap.count("rs", "/mcp"); n != 2 {
		t.Errorf("a revoked token: %d calls:%s", n, w.Tap.list())
	}
}

// keepsFirst adds the challenges of a handler to those that are there.
type keepsFirst struct{ http.ResponseWriter }

func (k keepsFirst) WriteHeader(status int) {
	h := k.Header()
	if own := h.Values("WWW-Authenticate"); len(own) == 1 && !strings.HasPrefix(own[0], "Basic") {
		h["Www-Authenticate"] = append([]string{`Basic realm="x", error="use_dpop_nonce"`}, own...)
	}
	k.ResponseWriter.WriteHeader(status)
}

// TestRefusedProofWithoutATime: a server that refuses a proof and does not say its time in a
// form that can be read teaches nothing about its clock: the answer is the caller's, and the
// next proof has the time of here.
func TestRefusedProofWithoutATime(t *testing.T) {
	var refuses atomic.Bool
	w := newWorld(t, binding(states.RequireBinding, peer.DPoPRequired), func(s setup) {
		s.Wrap["rs"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if refuses.Load() {
					rw.Header().Set("Date", "yesterday")
					rw.Header().Set("WWW-Authenticate", `DPoP error="invalid_dpop_proof"`)
					rw.WriteHeader(http.StatusUnauthorized)
					return
				}
				h.ServeHTTP(rw, r)
			})
		}
	})
	c := w.client(t, w.driver(t))
	w.call(t, c)
	w.Tap.reset()
	refuses.Store(true)
	if status, _, err := w.post(t.Context(), c, ping); err != nil || status != http.StatusUnauthorized || w.Tap.count("rs", "/mcp") != 1 {
		t.Errorf("%d %v:%s", status, err, w.Tap.list())
	}
	refuses.Store(false)
	w.call(t, c)
	w.proofs(t)
}
