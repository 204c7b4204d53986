package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

func TestDemo(t *testing.T) {
	r := newCLI(t).ok("demo")
	contains(t, r.out, "A cold start", "Registering", "Refreshing", "StepUp", "Revoking", "Everything went as announced.")
	if strings.Contains(r.out, "✗") || strings.Contains(r.out, "\x1b") {
		t.Errorf("something differs, or is coloured without a terminal:\n%s", r.out)
	}
}

// Each run of the demo's machine replays to the same bytes.
func TestDemoTraces(t *testing.T) {
	c, dir := newCLI(t), filepath.Join(t.TempDir(), "traces")
	c.ok("demo", "--trace", dir) // which is not there yet
	files, err := filepath.Glob(filepath.Join(dir, "*.ndjson"))
	if err != nil || len(files) != 6 {
		t.Fatalf("traces of login, refresh, step-up and logout, and of two tokens that were taken: %v %v", files, err)
	}
	for _, f := range files {
		c.ok("replay", f)
	}
}

func TestDemoJSON(t *testing.T) {
	r := newCLI(t).ok("demo", "--json")
	var summary struct {
		OK   bool `json:"ok"`
		Acts []struct {
			Act      string `json:"act"`
			Expected int    `json:"expected"`
			HTTP     int    `json:"http_requests"`
		} `json:"acts"`
	}
	kinds := map[string]int{}
	for line := range strings.Lines(r.out) {
		v := decode[struct {
			Type string          `json:"type"`
			Data json.RawMessage `json:"data"`
		}](t, line)
		kinds[v.Type]++
		if v.Type == "summary" {
			if err := json.Unmarshal(v.Data, &summary); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, k := range []string{"act", "step", "request", "result", "check", "summary"} {
		if kinds[k] == 0 {
			t.Errorf("no line of type %s", k)
		}
	}
	want := []int{6, 1, 2, 3, 1, 0}
	if !summary.OK || len(summary.Acts) != len(want) {
		t.Fatalf("summary %+v", summary)
	}
	for i, n := range want {
		if summary.Acts[i].HTTP != n {
			t.Errorf("%s: %d HTTP requests, want %d", summary.Acts[i].Act, summary.Acts[i].HTTP, n)
		}
	}
}

// A user at the real pages: they log in once, and are asked again for the
// step-up.
func TestDemoWithAUser(t *testing.T) {
	c := newCLI(t)
	c.browse = person(t, "allow")
	r := c.ok("demo", "--browser")
	contains(t, r.out, "Everything went as announced.")
	contains(t, r.err, "/authorize?", "demo_password")
}

// A demo that does not go as announced says so and fails.
func TestDemoDiffers(t *testing.T) {
	for name, change := range map[string]func(*show){
		"a state that is missing":   func(s *show) { s.now.Passes = append(s.now.Passes, states.Erasing) },
		"a state that is forbidden": func(s *show) { s.now.Never = []states.State{states.Exchanging} },
		"another number":            func(s *show) { s.now.First = 7 },
	} {
		t.Run(name, func(t *testing.T) {
			w, err := newWorld(t.Context(), true)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = w.close() }()
			var out lockedBuffer
			s := newShow(newCLI(t).app(&out, &out))
			l := &life{world: w, show: s, host: httpdriver.UserAgent(followOnce), reopen: func() (storage.Store, error) { return storage.NewMemory(), nil }}
			s.act(act{Title: "An act", First: 6})
			change(s)
			if err := l.start(t.Context()); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.session.Close(); _ = l.driver.Close() }()
			if s.bye() {
				t.Errorf("all is said to be well:\n%s", out.String())
			}
			contains(t, out.String(), "✗")
		})
	}
}

func TestDemoIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := newCLI(t)
	// The user never comes back.
	c.browse = func(context.Context, string) error { cancel(); return nil }
	var out lockedBuffer
	if code := run(ctx, []string{"demo", "--browser"}, c.app(&out, &out)); code == exitOK {
		t.Errorf("exit status 0:\n%s", out.String())
	}
}
