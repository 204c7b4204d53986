package trace

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// TestNothingDiffers: each difference alone is one.
func TestNothingDiffers(t *testing.T) {
	one := []Change{{}}
	for what, c := range map[string]Changes{
		"config": {Config: one}, "event": {Event: &one[0]}, "request": {Request: &one[0]}, "response": {Response: &one[0]}, "metadata": {Metadata: one},
	} {
		if c.None() {
			t.Errorf("another %s is no difference", what)
		}
	}
	if !(Changes{Table: true}).None() || !(Changes{}).None() {
		t.Error("nothing is a difference")
	}
}

// TestWhatLooksLikeACode: a word that a peer sent is kept in a trace where it can
// be a code, and not where it may be a secret.
func TestWhatLooksLikeACode(t *testing.T) {
	for _, s := range []string{
		"invalid_grant", "unauthorized_client", "Bearer", "AADSTS9010", "application/json", "at+jwt", "a", "A", "slow_down", "a.b-c_d/e+f",
		"error123456", "ABCDEFx", strings.Repeat("a", 48),
	} {
		if !isIdent(s) {
			t.Errorf("%q is not taken for a code", s)
		}
	}
	for _, s := range []string{
		"", "1a", "_a", "-a", ".a", "/a", "+a", "a b", "a=b", "a:b", "a@b", "a\x00", "ä", "error1234567", "ABCDEFGx", strings.Repeat("a", 49),
	} {
		if isIdent(s) {
			t.Errorf("%q is taken for a code", s)
		}
	}
	for c := range 256 {
		b := byte(c)
		want := b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || strings.IndexByte("_-./+", b) >= 0
		if got := isIdent("a" + string([]byte{b})); got != want {
			t.Errorf("byte %#x behind a letter: %v", c, got)
		}
		first := b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
		if got := isIdent(string([]byte{b}) + "a"); got != first {
			t.Errorf("byte %#x at the beginning: %v", c, got)
		}
	}
}

// TestDetailsAreOurWords: of a detail the words of this project are kept, each
// once, and of a text without them its length.
func TestDetailsAreOurWords(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "dial 10.0.0.1: connection refused": "connection refused", "no route to s3cret: no route": "no route",
		"as.example did not answer within the time allowed": "did not answer within the time allowed",
		"no connection to x within the time allowed":        "within the time allowed",
		"locked, and read-only":                             "read-only; locked",
	} {
		if got := detail(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
	if got := detail("s3cret-and-other-words"); strings.Contains(got, "s3cret") || got == "" {
		t.Errorf("a text without our words: %q", got)
	}
}

// TestOtherMachine: a step that was taken in another state is of another machine, also where
// the event is the same.
func TestOtherMachine(t *testing.T) {
	l := newLife(t, setting{})
	r, err := l.e.StepResult(l.m, l.at, states.Ticked{})
	if err != nil {
		t.Fatal(err)
	}
	r.From = states.Authorized
	if l.rec.Step(l.at, states.Ticked{}, r); !strings.HasPrefix(l.rec.Ended(), "diverged") {
		t.Errorf("recording goes on: %q", l.rec.Ended())
	}
}

// TestConfigurationIsCopied: masking a configuration does not change the one that is masked.
func TestConfigurationIsCopied(t *testing.T) {
	list := func() []states.Quirk {
		return []states.Quirk{{Name: states.IssuerAlias, Values: []string{"https://a.example/x?key=CANARY-of-a-key", "https://b.example"}}}
	}
	m, err := fsm.New(states.Config{Server: resource + "?token=CANARY-of-a-token", Redirects: []string{callback}, Holder: "me"})
	if err != nil {
		t.Fatal(err)
	}
	m.Data.Config.Quirks = list()
	rec, err := NewRecorder(m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(m.Data.Config.Quirks, list()) || !strings.Contains(m.Data.Config.Server, "CANARY") || m.Data.Config.Holder != "me" {
		t.Errorf("%+v", m.Data.Config)
	}
	if bytes.Contains(rec.Header(), []byte("CANARY")) {
		t.Errorf("%s", rec.Header())
	}
}

// TestShadowRefuses: where the shadow refuses what the machine took, recording ends and says so.
func TestShadowRefuses(t *testing.T) {
	l := newLife(t, setting{})
	r, err := l.e.StepResult(l.m, l.at, states.Ticked{})
	if err != nil {
		t.Fatal(err)
	}
	if line := l.rec.Step(l.at, states.Saved{Serial: 77}, r); !bytes.Contains(line, []byte(`, the shadow: refused"`)) || !bytes.Contains(line, []byte(`"time":"2026-07-28T12:00:00Z"`)) || !strings.HasPrefix(l.rec.Ended(), "diverged") {
		t.Errorf("%s %q", line, l.rec.Ended())
	}
}

// TestMachineThatHasBegun: a machine that has facts is in the header, and one that has none is not.
func TestMachineThatHasBegun(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*states.Data)
		begun  bool
	}{
		"nothing":  {func(*states.Data) {}, false},
		"a seed":   {func(d *states.Data) { d.Seed = "CANARY-seed-of-at-least-thirty-two-characters" }, true},
		"a record": {func(d *states.Data) { d.Record = &states.Credential{Version: states.RecordVersion} }, true},
		"a token of a provider's user": {func(d *states.Data) {
			d.Record = &states.Credential{Version: states.RecordVersion, Current: &states.Token{Provider: &states.Provider{Client: wire.Client{ID: "a", Secret: "CANARY-provider-secret"}}}}
		}, true},
		"a serial": {func(d *states.Data) { d.Serial = 3 }, true},
	} {
		m := newLife(t, setting{}).m
		c.change(&m.Data)
		rec, err := NewRecorder(m, Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := bytes.Contains(rec.Header(), []byte(`"machine":`)); got != c.begun || bytes.Contains(rec.Header(), []byte("CANARY")) {
			t.Errorf("%s: %s", name, rec.Header())
		}
	}
}

// TestKeysWithSecretsInThem: the names of keys and what is public of them are kept, except for a secret in them.
func TestKeysWithSecretsInThem(t *testing.T) {
	const secret = "CANARY-initial-token-1"
	m, err := fsm.New(states.Config{Server: resource, Redirects: []string{callback}, Issuer: issuer, InitialToken: secret})
	if err != nil {
		t.Fatal(err)
	}
	m.Data.Config.Key = &states.SigningKey{Name: "signer of " + secret, Alg: "ES256"}
	m.Data.Config.Quirks = []states.Quirk{{Name: states.IssuerAlias, Values: []string{"https://ann:CANARY-password@a.example/x", "a.example"}}}
	m.Data.Config.ProofKey = &states.ProofKey{Name: "prover of " + secret, Alg: "ES256", Public: "{}"}
	rec, err := NewRecorder(m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"signer of initial-token-1", "prover of initial-token-1", `"https://user-info-1`, `@a.example/x","a.example"`} {
		if !bytes.Contains(rec.Header(), []byte(want)) {
			t.Errorf("no %q in %s", want, rec.Header())
		}
	}
	if bytes.Contains(rec.Header(), []byte("CANARY")) || m.Data.Config.Key.Name != "signer of "+secret || m.Data.Config.ProofKey.Name != "prover of "+secret {
		t.Errorf("%s", rec.Header())
	}
}

// TestWhatIsNoJWT: a text whose parts are not wholly base64url is no JWT, and its stand-in is none either.
func TestWhatIsNoJWT(t *testing.T) {
	m := newMask()
	for _, s := range []string{"e30g!!!!.e30.x", "e30.e30g!!!!.x", "e30.W10.x", "e30.e30"} {
		if as := m.jwt(kindAssertion, s); !strings.HasPrefix(as, "assertion-") {
			t.Errorf("%q: %q", s, as)
		}
	}
	if as := m.jwt(kindAssertion, "e30.e30.x"); strings.Count(as, ".") != 2 {
		t.Error(as)
	}
}
