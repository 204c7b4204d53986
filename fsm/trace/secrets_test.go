package trace

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// answeredWith lives a login until a state asks, and answers with a body; it gives the line of the answer.
func answeredWith(t *testing.T, s states.State, body []byte) (line string, l *life) {
	t.Helper()
	l = newLife(t, setting{})
	l.send = func(l *life, q states.Send) states.Input {
		if l.m.State != s {
			return nil
		}
		l.send = nil
		return states.Responded{Serial: q.Serial, Response: wire.Response{Status: 200, Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}}, Body: body}}
	}
	l.begin()
	for _, step := range l.sound().Steps {
		if _, answer := step.Input.(states.Responded); answer && step.From == s {
			return string(step.Line), l
		}
	}
	t.Fatalf("%s did not ask: %v", s, l.events)
	return "", nil
}

// TestLongBodies: a body that is longer than any document is replaced by a short one that the machine
// refuses for the same reason, and one that is as long as a document may be is replaced as others are.
func TestLongBodies(t *testing.T) {
	fill := func(begin, end string, size int) []byte {
		return []byte(begin + strings.Repeat("C", size-len(begin)-len(end)) + end)
	}
	const limit = wire.MaxBody
	for _, c := range []struct {
		begin, end string
		size       int
		says       string
	}{
		{`{"a":"`, `"}`, limit + 1, `"body":"{\"duplicate\":1,\"duplicate\":2}"`},
		{`{"a":"`, `"}`, limit, `"json":{"a":"text(1048568)"}`},
		{`{"a":"`, ``, limit + 1, `"body":"{\"broken\":"`}, {`{"a":"`, ``, limit, `"body":"{\"broken\":"`},
		{" \n\t\r{\"a\":\"", ``, limit + 1, `"body":"{\"broken\":"`},
		{`<p>`, ``, limit + 1, `"body":"<html>text(1048577)</html>"`}, {`<p>`, ``, limit, `"body":"<html>text(1048576)</html>"`},
		{`C`, ``, limit + 1, `"body":"text(1048577)"`},
		{`"`, `"`, limit + 1, `"body":"text(1048577)"`}, {`"`, `"`, limit, `"body":"\"text(1048574)\""`},
		{`error=invalid_grant&x=`, ``, limit + 1, `"body":"text(1048577)"`},
		{`error=invalid_grant&x=`, ``, limit, `"body":"error=invalid_grant&x=text%281048554%29"`},
		{`{"a":1} `, ``, limit, `"body":"{} {}"`},
		{strings.Repeat(" ", limit), ``, limit + 1, `"body":"text(1048577)"`},
	} {
		body := fill(c.begin, c.end, c.size)
		if strings.HasPrefix(c.begin, "   ") {
			body = []byte(c.begin + " ")
			c.says = `"body":"text(1048577)"`
		}
		if line, _ := answeredWith(t, states.Exchanging, body); !strings.Contains(line, c.says) || strings.Contains(line, "CCCC") {
			t.Errorf("%.20q of %d: %.400s", c.begin, c.size, line)
		}
	}
}

// TestLinesOfADocument: what a server puts between the members of a document does not break the lines of a
// trace; what it puts within one line is kept.
func TestLinesOfADocument(t *testing.T) {
	const doc = `{"resource":"https://mcp.example/mcp",%"authorization_servers":["https://as.example"],%"scopes_supported":["user",%"b"]}`
	for _, c := range [][2]string{{" ", `["user", "b"]`}, {"\n", `["user","b"]`}, {"\r", `["user","b"]`}, {"\r\n", `["user","b"]`}, {"\t", "[\"user\",\t\"b\"]"}} {
		for _, before := range []string{"", c[0]} {
			line, _ := answeredWith(t, states.DiscoveringPRM, []byte(before+strings.ReplaceAll(doc, "%", c[0])))
			if !strings.Contains(line, `"scopes_supported":`+c[1]) || strings.ContainsAny(line, "\r\n") {
				t.Errorf("%q before, %q between: %s", before, c[0], line)
			}
		}
		inner := strings.Replace(strings.ReplaceAll(doc, ",%\"a", ",\"a"), ",%\"s", ",\"s", 1) // only within a list
		if line, _ := answeredWith(t, states.DiscoveringPRM, []byte(strings.ReplaceAll(inner, "%", c[0]))); !strings.Contains(line, `"scopes_supported":`+c[1]) {
			t.Errorf("%q within a list: %s", c[0], line)
		}
	}
}

// TestSecretsOfEveryLength: a machine takes a client's secret of up to 8192 bytes; its shadow takes and refuses the same ones.
func TestSecretsOfEveryLength(t *testing.T) {
	for _, c := range []struct {
		size  int
		event string
	}{{8, "Registered"}, {maxCounted, "Registered"}, {maxCounted + 1, "RegistrationRefused"}} {
		secret := strings.Repeat("C4", c.size)[:c.size]
		line, _ := answeredWith(t, states.Registering, []byte(`{"client_id":"a","client_secret":"`+secret+`","client_secret_expires_at":0,"token_endpoint_auth_method":"client_secret_post"}`))
		if !strings.Contains(line, `"event":"`+c.event+`"`) || strings.Contains(line, "C4C4") {
			t.Errorf("%d bytes: %.300s", c.size, line)
		}
	}
}

// TestSeedsAreSecrets: from a seed come the next state and the next verifier; a server that repeats one does not
// get it into a trace, and the same seed is the same stand-in.
func TestSeedsAreSecrets(t *testing.T) {
	const seed = "CANARY-seed-of-at-least-thirty-two-characters"
	l := newLife(t, setting{})
	l.mangle = func(_ *life, req wire.Request, resp *wire.Response) {
		if strings.HasSuffix(req.URL, "/token") {
			resp.Body = bytes.Replace(resp.Body, []byte(`"scope":"user`), []byte(`"scope":"user x-`+seed), 1)
		}
	}
	l.do(states.Begun{Seed: seed, Login: true})
	l.want("TokenIssued")
	l.do(states.LoggedOut{Seed: seed})
	l.sound()
	if bytes.Contains(l.out, []byte("CANARY")) {
		t.Error("the seed is in the trace")
	}
	if n := bytes.Count(l.out, []byte(`"seed":"`+kindSeed+`-1"`)); n != 2 || bytes.Contains(l.out, []byte(kindSeed+"-2")) {
		t.Errorf("%d of two inputs have the first stand-in", n)
	}
}

// TestTraceOfATrace: what a replay of a trace does is recorded as anything else is; no stand-in stands for two
// secrets, whatever the secrets are called.
func TestTraceOfATrace(t *testing.T) {
	old, _ := goldenTrace(t, "whole-life")
	m, err := old.Begin()
	if err != nil {
		t.Fatal(err)
	}
	rec, err := NewRecorder(m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	e, file := fsm.NewEngine(), bytes.Clone(rec.Header())
	for _, s := range old.Steps {
		r, err := e.StepResult(m, s.Time, s.Input)
		if err != nil {
			t.Fatal(err)
		}
		file, m = append(file, rec.Step(s.Time, s.Input, r)...), r.Machine
	}
	again, err := Parse(file)
	if err != nil || again.Ended != "" || len(again.Steps) != len(old.Steps) {
		t.Fatalf("%v %s %s", err, again.Ended, again.EndedDetail)
	}
	if d, err := Replay(again); err != nil || !d.Same() {
		t.Errorf("%v %v", err, d)
	}
	for i, s := range again.Steps {
		if s.Event != old.Steps[i].Event {
			t.Errorf("step %d: %s, not %s", s.N, s.Event, old.Steps[i].Event)
		}
	}
	names, reals := newMask(), []string{"access-2", "access-1", "access-3", "a-real-token", "access-6", "another-real-token"}
	var given []string
	for i, real := range reals {
		s := names.sub(kindAccess, real)
		if slices.Contains(given, s) || slices.Contains(reals[:i], s) {
			t.Errorf("%s stands for %s, and for something else", s, real)
		}
		given = append(given, s)
	}
}

// TestNoPlaceForASecret: a host whose configuration holds a secret where none belongs is told, and gets no trace.
func TestNoPlaceForASecret(t *testing.T) {
	m, err := fsm.New(states.Config{Server: resource + "?api_key=CANARY-key-0001", Redirects: []string{"https://host.example/CANARY-key-0001/back"}})
	if err != nil {
		t.Fatal(err)
	}
	if rec, err := NewRecorder(m, Options{}); err == nil || rec != nil || strings.Contains(err.Error(), "CANARY") {
		t.Errorf("%v %v", rec, err)
	}
}

// TestTimesAreKept: a step has the time at which its input came. Only a tick that comes between the times at which
// the machine and its shadow want to be woken, which differ a little, is moved, so that both are woken or neither is.
func TestTimesAreKept(t *testing.T) {
	earlier, later := 0, 0
	for n := range 12 {
		for _, off := range []time.Duration{-time.Nanosecond, 0, time.Hour} {
			for _, in := range []states.Input{states.Ticked{}, states.Cancelled{}} {
				l := newLife(t, setting{})
				l.seeds = 100 * n
				real, shadow := waiting(l)
				l.at = real.Add(off)
				want := l.at
				_, tick := in.(states.Ticked)
				switch {
				case shadow.After(real):
					later++
					if tick && off == 0 {
						want = shadow
					}
				case shadow.Before(real):
					earlier++
					if tick && off < 0 {
						want = shadow.Add(-time.Nanosecond)
					}
				}
				at := l.at
				l.step(in)
				tr := l.sound()
				if got := tr.Steps[len(tr.Steps)-1].Time; !got.Equal(want) {
					t.Errorf("real %v, shadow %v, %T at %v: recorded at %v", real, shadow, in, at, got)
				}
			}
		}
	}
	if earlier == 0 || later == 0 {
		t.Errorf("the shadow was never on the other side: %d %d", earlier, later)
	}
}

// waiting lives until another process holds the lease, and gives the times at which the machine and its shadow look again.
func waiting(l *life) (real, shadow time.Time) {
	l.t.Helper()
	l.begin()
	l.away = true
	l.store = func(_ *life, e states.Effect) states.Input {
		if q, ok := e.(states.Lease); ok {
			return states.Held{Serial: q.Serial}
		}
		return nil
	}
	l.expire()
	real, shadow = l.m.Data.WakeAt, l.rec.shadow.Data.WakeAt
	if l.m.State != states.Waiting || real.IsZero() || shadow.IsZero() {
		l.t.Fatalf("nothing waits: %v", l.events)
	}
	return real, shadow
}
