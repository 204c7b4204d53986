package trace_test

import (
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm/script"
	"github.com/stile-oauth/stile/fsm/trace"
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
