package trace

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// rewriting says that the golden traces are to be written anew. The flag is datadriven's.
func rewriting() bool { return flag.Lookup("rewrite").Value.String() == "true" }

// golden are the stories whose traces are kept in testdata.
var golden = []string{"cold-login", "refresh", "step-up", "legacy", "denied", "issuer-mismatch", "resource-mismatch", "logout", "whole-life", "replica"}

func goldenPath(name string) string {
	return filepath.Join("..", "..", "testdata", "traces", name+".ndjson")
}

func goldenTrace(t testing.TB, name string) (*Trace, []byte) {
	t.Helper()
	b, err := os.ReadFile(goldenPath(name))
	if err != nil {
		t.Fatal(err)
	}
	tr, err := Parse(b)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return tr, b
}

// TestLives records every story: the shadow never leaves the real machine, and
// the trace replays to the same bytes.
func TestLives(t *testing.T) {
	for i, s := range stories {
		if i%every() != 0 {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			l := newLife(t, s.setting)
			s.live(l)
			l.want(s.want...)
			l.sound()
		})
	}
}

// TestGolden replays the traces in testdata, and compares them with what the
// same lives give today.
func TestGolden(t *testing.T) {
	for _, s := range stories {
		if !slices.Contains(golden, s.name) {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			l := newLife(t, s.setting)
			s.live(l)
			if rewriting() {
				if err := os.WriteFile(goldenPath(s.name), l.out, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			tr, b := goldenTrace(t, s.name)
			// A row more in the table changes its hash and nothing of these lives.
			if d, err := Replay(tr); err != nil || !d.Same() {
				t.Fatalf("replay: %v\n%s(go test ./fsm/trace -run Golden -rewrite writes them anew: read the difference first)", err, d)
			}
			b = bytes.Replace(b, []byte(tr.Header.Table), []byte(TableHash()), 1)
			if !bytes.Equal(b, l.out) {
				t.Errorf("the life gives another trace today:\n%s", Diff(tr, l.trace()))
			}
		})
	}
}

// TestEveryReplay finds nothing in testdata/traces that does not replay.
func TestEveryReplay(t *testing.T) {
	files, err := filepath.Glob(goldenPath("*"))
	if err != nil || len(files) < len(golden) {
		t.Fatalf("%d traces, %v", len(files), err)
	}
	for _, f := range files {
		tr, _ := goldenTrace(t, strings.TrimSuffix(filepath.Base(f), ".ndjson"))
		if d, err := Replay(tr); err != nil || !d.Same() {
			t.Errorf("%s: %v %s", f, err, d)
		}
	}
}

func TestStandIns(t *testing.T) {
	m := newMask()
	seen := map[string]string{}
	for _, real := range []string{"one-token-here", "another-token", "CANARY access-1", "access-1", "access-2", "with space", "with+plus", "with\ncontrol", "with\x7fdelete", "with@sign", "with=sign", "a\x80b", "é", "all of it +@é\x01", strings.Repeat("x", 9000), "a"} {
		s := m.sub(kindAccess, real)
		if m.sub(kindRefresh, real) != s {
			t.Errorf("%q has two stand-ins", real)
		}
		if was, twice := seen[s]; twice {
			t.Errorf("%q and %q have one stand-in", was, real)
		}
		seen[s] = real
		if class(s) != class(real) || len(s) > maxCounted != (len(real) > maxCounted) {
			t.Errorf("%q stands for %q", s, real)
		}
	}
	if m.sub(kindAccess, "") != "" {
		t.Error("an empty secret got a stand-in")
	}
}

// everyInput has every kind of input.
func everyInput() []states.Input {
	resp := wire.Response{Status: 401, Header: wire.Fields{{Name: "Retry-After", Value: "1"}}, Body: []byte(`{"a":1}`)}
	odd := wire.Response{Status: 200, Body: []byte("{\"a\":\n"), Oversized: true}
	return []states.Input{
		states.Begun{Seed: "s", Login: true, Scopes: []string{"a", "b"}}, states.Resumed{Seed: "s"},
		states.Loaded{Serial: 1, Value: `{"version":1}`, Generation: 2}, states.Loaded{Serial: 1, Value: "unreadable"},
		states.NotFound{Serial: 1}, states.Leased{Serial: 1, Fence: 2, TTL: 90 * time.Second}, states.Held{Serial: 1},
		states.Saved{Serial: 1, Generation: 2}, states.Deleted{Serial: 1}, states.Claimed{Serial: 1}, states.Conflicted{Serial: 1},
		states.StoreFailed{Serial: 1, Detail: "d", Entry: true}, states.Answered{Serial: 1, Value: "v", Values: []string{"w"}, Secret: "s"},
		states.Signed{Serial: 1, JWS: "j"}, states.Unsigned{Serial: 1, Detail: "d"},
		states.Responded{Serial: 1, Response: resp}, states.Responded{Serial: 1, Response: odd},
		states.Unreachable{Serial: 1, Class: "lost", Rule: "net-timeout", Detail: "d"}, states.Redirected{Serial: 1, URL: "u"},
		states.Challenged{Generation: 3, Response: resp}, states.Accepted{Generation: 3}, states.Ticked{},
		states.Interrupted{Seed: "s"}, states.Cancelled{}, states.LoggedOut{Seed: "s", Forget: true},
	}
}

// everyEffect has every kind of effect.
func everyEffect(at time.Time) []states.Effect {
	key := states.Key{Kind: states.KindLogin, Tenant: "t", Subject: "s", Account: "a", Name: "n"}
	req := wire.Request{Method: "POST", URL: "https://x/", Header: wire.Fields{{Name: "A", Value: "b", Secret: true}}, Form: wire.Fields{{Name: "c", Value: "d"}}, Body: []byte(`{"x":"\"é"}`)}
	return []states.Effect{
		states.Send{Serial: 1, Request: req, Once: true, NotBefore: at, NotAfter: at, Timeout: time.Second, Hops: 3, MaxBody: 9, Loopback: true},
		states.Sign{Serial: 1, Key: "k", Header: `{"alg":"ES256"}`, Claims: `{"iss":"é"}`, NotBefore: at, Timeout: time.Second},
		states.Assert{Serial: 1, Audiences: []string{"a"}, NotBefore: at, Timeout: time.Second},
		states.Show{URL: "u", Complete: "u?c", UserCode: "c", Issuer: "i", Deadline: at},
		states.Visit{Serial: 1, URL: "u", RedirectURI: "r", Issuer: "i", Deadline: at}, states.Load{Serial: 1, Key: key},
		states.Lease{Serial: 1, Key: key, TTL: time.Minute}, states.Release{Key: key, Fence: 2},
		states.Save{Serial: 1, Key: key, Value: `{"v":1}`, Expected: 2, Expires: at, NotBefore: at},
		states.Delete{Serial: 1, Key: key, Expected: 2}, states.Claim{Serial: 1, Key: key, Expected: 2},
		states.Ask{Serial: 1, Question: states.AskIssuer, Subject: "s", Options: []string{"o"}, Default: "d", Deadline: at},
		states.Wake{At: at}, states.Grant{Generation: 1, AccessToken: "a", Type: "Bearer", Scopes: []string{"s"}, Expires: at, Renew: at, Accepted: true},
		states.Report{Fault: states.Fault{Party: states.PartyPeer, State: states.Claiming, Event: "E", Doing: "d", Peer: "p", Problem: wire.Problem{Rule: "r", OAuth: &wire.OAuthError{Code: "c"}}, First: &wire.Problem{Rule: "f"}, Transient: true, Advice: "a"}},
	}
}

// TestLinesReadBack writes and reads every kind of input and effect.
func TestLinesReadBack(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)
	ins, effs := everyInput(), everyEffect(at)
	header := []byte(`{"format":"stile-trace","version":1,"table":"x","revision":"auto","config":{}}` + "\n")
	for _, in := range ins {
		r := fsm.Result{Machine: fsm.Machine{State: states.Loading}, Event: "Begun", Held: true, Effects: effs}
		line := appendStep(nil, 1, states.Idle, at, in, &r, false)
		tr, err := Parse(append(bytes.Clone(header), line...))
		if err != nil {
			t.Fatalf("%T: %v", in, err)
		}
		s := tr.Steps[0]
		if !reflect.DeepEqual(s.Input, in) || !reflect.DeepEqual(s.Effects, effs) || s.From != states.Idle || s.To != states.Loading || !s.Held || !s.Time.Equal(at) {
			t.Errorf("%T came back as\n%#v", in, s)
		}
	}
}

// TestBadFiles gives one clear line for every kind of file that is no trace.
func TestBadFiles(t *testing.T) {
	_, good := goldenTrace(t, "cold-login")
	lines := bytes.SplitAfter(good, []byte("\n"))
	cases := []struct {
		name string
		file []byte
		want error
	}{
		{"empty", nil, ErrForeign},
		{"text", []byte("hello\nworld\n"), ErrForeign},
		{"one line of text", []byte("hello"), ErrForeign},
		{"binary", []byte("\x7fELF\x00\x01\n"), ErrForeign},
		{"another NDJSON", []byte(`{"level":"info"}` + "\n"), ErrForeign},
		{"newer", bytes.Replace(good, []byte(`"version":1`), []byte(`"version":2`), 1), ErrVersion},
		{"truncated header", lines[0][:40], ErrForeign},
		{"header without end", bytes.TrimSuffix(lines[0], []byte("\n")), ErrTruncated},
		{"truncated", good[:len(good)-20], ErrTruncated},
		{"a step missing", slices.Concat(lines[0], lines[2]), ErrAltered},
		{"a step twice", slices.Concat(lines[0], lines[1], lines[1]), ErrAltered},
		{"unknown member", slices.Concat(lines[0], bytes.Replace(lines[1], []byte(`{"n"`), []byte(`{"x":1,"n"`), 1)), ErrAltered},
		{"unknown input", slices.Concat(lines[0], bytes.Replace(lines[1], []byte(`"Begun":{`), []byte(`"Begin":{`), 1)), ErrAltered},
		{"not JSON", slices.Concat(lines[0], []byte("{\n")), ErrAltered},
		{"other state", slices.Concat(lines[0], lines[1], bytes.Replace(lines[2], []byte(`"from":"Loading"`), []byte(`"from":"Idle"`), 1)), ErrAltered},
		{"long line", slices.Concat(lines[0], bytes.Repeat([]byte("x"), MaxLine+1), []byte("\n")), ErrTooLarge},
		{"enormous", make([]byte, MaxTrace+1), ErrTooLarge},
		{"after the end", slices.Concat(lines[0], []byte(`{"n":1,"from":"Idle","ended":"full","detail":"the bounds of a trace are reached"}`+"\n"), lines[1]), ErrAltered},
		{"UTF-16", []byte("\xff\xfe{\x00\"\x00"), ErrForeign},
		{"header without a table", bytes.Replace(good, []byte(`"table":"`+TableHash()+`",`), nil, 1), ErrAltered},
		{"header without a configuration", []byte(`{"format":"stile-trace","version":1,"table":"x","revision":"auto"}` + "\n"), ErrAltered},
	}
	for _, c := range cases {
		_, err := Parse(c.file)
		if !errors.Is(err, c.want) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 300 {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, mark := range []string{"\xff\xfe", "\xfe\xff"} {
		if _, err := Parse([]byte(mark + "{\x00\n")); err == nil || !strings.Contains(err.Error(), "UTF-16") {
			t.Errorf("UTF-16: %v", err)
		}
	}
	for name, file := range map[string][]byte{
		"config":  bytes.Replace(good, []byte(`"server":"https`), []byte(`"server":"gopher`), 1),
		"machine": bytes.Replace(good, []byte(`"config":`), []byte(`"machine":{"state":"Nowhere","data":{"config":`+config(t, good)+`}},"config":`), 1),
	} {
		tr, err := Parse(file)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := Replay(tr); !errors.Is(err, ErrAltered) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAlteredReplays shows both sides of the first difference.
func TestAlteredReplays(t *testing.T) {
	_, good := goldenTrace(t, "cold-login")
	for _, c := range []struct {
		old, new string
		says     []string
	}{
		{`"to":"Discovering-PRM"`, `"to":"Discovering-PRM","held":true`, []string{"step 5 differs", "held"}},
		{`"seed":"stile-trace-seed-of-thirty-two-characters-1"`, `"seed":"stile-trace-seed-of-thirty-two-characters-9"`, []string{"differs at byte", "recorded:", "replayed:"}},
		{`"input":{"Saved":{"serial":3`, `"input":{"Saved":{"serial":77`, []string{"step 4 differs", "not open"}},
		{`"table":"sha256:`, `"table":"sha256:00`, []string{"another table", "same bytes"}},
	} {
		file := bytes.Replace(good, []byte(c.old), []byte(c.new), 1)
		tr, err := Parse(file)
		if err != nil {
			t.Fatalf("%s: %v", c.new, err)
		}
		d, err := Replay(tr)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range c.says {
			if !strings.Contains(d.String(), s) {
				t.Errorf("%s: no %q in %s", c.new, s, d)
			}
		}
	}
}

// TestDivergence makes the shadow meet something else than the real machine.
func TestDivergence(t *testing.T) {
	l := newLife(t, setting{})
	r, err := l.e.StepResult(l.m, l.at, states.Begun{Seed: l.seed()})
	if err != nil {
		t.Fatal(err)
	}
	r.Event = "CredentialFound"
	l.out = append(l.out, l.rec.Step(l.at, states.Begun{Seed: l.seed()}, r)...)
	if l.rec.Ended() == "" || l.rec.Step(l.at, states.Ticked{}, r) != nil {
		t.Fatal("recording went on")
	}
	tr := l.trace()
	if tr.Ended != "diverged" || !strings.Contains(tr.EndedDetail, "CredentialFound") {
		t.Fatalf("%q %q", tr.Ended, tr.EndedDetail)
	}
	if s := TableText(tr); !strings.Contains(s, "recording ended here") {
		t.Error(s)
	}
}
