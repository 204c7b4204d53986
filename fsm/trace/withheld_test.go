package trace_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/script"
	"github.com/stile-oauth/stile/fsm/trace"
	"github.com/stile-oauth/stile/states"
)

// TestLastGuard: where nothing else keeps a secret out of a line, since a server
// gave one that is a word of the trace itself, the line is withheld and the
// recording ends.
func TestLastGuard(t *testing.T) {
	for _, c := range []struct {
		token string
		ends  bool
	}{{"Authorized", true}, {"an-access-token-like-others", false}} {
		s := script.New()
		var rec *trace.Recorder
		var lines []string
		s.Observe = func(p script.Step) {
			if p.Err != nil {
				return
			}
			if rec == nil {
				var err error
				if rec, err = trace.NewRecorder(p.Before, trace.Options{}); err != nil {
					t.Fatal(err)
				}
			}
			lines = append(lines, string(rec.Step(p.At, p.In, p.Result)))
		}
		for _, l := range []string{"config", "reach Exchanging"} {
			s.Do(l, "")
		}
		s.Do("respond", `{"access_token":"`+c.token+`","token_type":"Bearer","expires_in":3600}`)
		before := len(lines)
		s.Do("run", "") // comes to rest in Authorized
		if got := strings.HasPrefix(rec.Ended(), "withheld"); got != c.ends {
			t.Errorf("%s: ended %q", c.token, rec.Ended())
		}
		if !c.ends {
			continue
		}
		for _, l := range lines[before:] {
			if strings.Contains(l, c.token) {
				t.Errorf("the secret is in a line: %s", l)
			}
		}
	}
}

// TestARecordingIsBounded: a recording ends, and says so, before it is longer than
// a trace that is read may be.
func TestARecordingIsBounded(t *testing.T) {
	m, err := fsm.New(states.Config{Server: "https://mcp.example/mcp"})
	if err != nil {
		t.Fatal(err)
	}
	e, at := fsm.NewEngine(), time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)
	in := states.Ticked{}
	res, err := e.StepResult(m, at, in)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := trace.NewRecorder(m, trace.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	out.Write(rec.Header())
	lines := 0
	for rec.Ended() == "" && lines < 2*trace.MaxSteps {
		out.Write(rec.Step(at, in, res))
		lines++
	}
	if !strings.HasPrefix(rec.Ended(), "full") || lines != trace.MaxSteps {
		t.Errorf("%d lines, %q", lines, rec.Ended())
	}
	if rec.Step(at, in, res) != nil {
		t.Error("it went on after its end")
	}
	if tr, err := trace.Parse(out.Bytes()); err != nil || len(tr.Steps) != trace.MaxSteps-1 || tr.Ended != "full" {
		t.Errorf("%v", err)
	}
}
