package trace

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
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
