package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/cmd/stile-conformance/internal/kit"
	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/httpdriver/devas"
)

// TestMain lets this test binary stand in for stile and for a client that communicates
// in lines.
func TestMain(m *testing.M) {
	switch os.Getenv("OUTSIDE_ACT") {
	case "":
		os.Exit(m.Run())
	case "garbled":
		os.Stdout.WriteString("Listening!\n")
	case "silent":
		os.Exit(1)
	case "well":
		os.Stdout.WriteString(`{"request":"POST /mcp 200"}` + "\n" + `{"tools":["a"]}` + "\n" + `{"step":"a","output":{"zone":"UTC"}}` + "\n")
	case "failing":
		os.Stdout.WriteString(`{"error":"Denied: access_denied"}` + "\n")
		os.Stderr.WriteString("a word\n")
		os.Exit(1)
	case "unfailing":
		os.Stdout.WriteString(`{"error":"Denied: access_denied"}` + "\n")
	}
	os.Exit(0)
}

// here is a world in this process: an authorization server and the go-sdk's
// server behind bearer.
func here(t *testing.T) *world {
	t.Helper()
	w := &world{name: "here"}
	if _, err := w.listen(t.Context(), func(origin string) (http.Handler, error) {
		c := devas.DefaultAS(origin)
		c.Scopes = []string{"user", "profile"}
		w.issuer = origin
		return devas.NewAS(c)
	}, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.stop(); err != nil {
			t.Error(err)
		}
	})
	if err := w.protected(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestGoSDKLivesItsLife(t *testing.T) {
	w := here(t)
	n := 0
	for _, s := range life {
		if !s.concerns("go-sdk") {
			continue
		}
		n++
		if r := runScenario(t.Context(), w, client{name: "go-sdk", anew: true, do: goSDK}, s); len(r.Faults) > 0 {
			t.Errorf("%s: %q %q", s.name, r.Faults, r.Output)
		}
	}
	if n < 5 {
		t.Errorf("only %d scenarios", n)
	}
}

// TestJudgeFindsFault: what is wrong does not pass.
func TestJudgeFindsFault(t *testing.T) {
	w := &world{}
	right := func() outcome {
		return outcome{
			Tools: []string{"get_time", "whoami"}, Requests: []string{"POST /register 201", "POST /token authorization_code 200"},
			Steps: []step{{"get_time", json.RawMessage(`{"zone":"UTC","time":"now"}`)}},
		}
	}
	for name, c := range map[string]struct {
		change func(*outcome)
		fault  string // empty: none
	}{
		"right":             {func(*outcome) {}, ""},
		"an error":          {func(o *outcome) { o.Err = "oops" }, "ended early: oops"},
		"nothing done":      {func(o *outcome) { o.Steps = nil }, "it did"},
		"another answer":    {func(o *outcome) { o.Steps[0].Output = json.RawMessage(`{"zone":"CET","time":"now"}`) }, "get_time: answered"},
		"no answer":         {func(o *outcome) { o.Steps[0].Output = nil }, "get_time: answered"},
		"no tools":          {func(o *outcome) { o.Tools = nil }, "saw the tools"},
		"no login":          {func(o *outcome) { o.Requests = o.Requests[:1] }, "0 logins, not 1"},
		"a login too many":  {func(o *outcome) { o.Requests = append(o.Requests, o.Requests[1]) }, "2 logins, not 1"},
		"a refresh":         {func(o *outcome) { o.Requests = append(o.Requests, "POST /blue/token refresh_token 200") }, "1 refreshes, not 0"},
		"a failed refresh":  {func(o *outcome) { o.Requests = append(o.Requests, "POST /token refresh_token 400") }, ""},
		"two registrations": {func(o *outcome) { o.Requests = append(o.Requests, "POST /blue/register 201") }, "2 registrations, not 1"},
	} {
		o, r := right(), kit.Row{}
		c.change(&o)
		login.judge(&r, w, client{}, o)
		if (c.fault == "") != (len(r.Faults) == 0) || c.fault != "" && !strings.Contains(r.Faults[0], c.fault) {
			t.Errorf("%s: %q", name, r.Faults)
		}
	}
	for _, end := range []string{"", "Server returned 500"} {
		r, o := kit.Row{}, right()
		o.Err = end
		denied.judge(&r, w, client{}, o)
		if len(r.Faults) == 0 {
			t.Errorf("a denied login that ended with %q passed", end)
		}
	}
	who := step{"whoami", json.RawMessage(`{"subject":"demo_user","client_id":"c","scopes":["user"]}`)}
	if w.answered(who) == "" {
		t.Error("whoami without the scope of the step-up passed")
	}
}

func TestBrowserMeetsUnknownPages(t *testing.T) {
	w := &world{}
	defer func() { _ = w.stop() }()
	origin, err := w.listen(t.Context(), func(string) (http.Handler, error) {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/round":
				http.Redirect(rw, r, "/round", http.StatusSeeOther)
			case "/odd":
				_, _ = rw.Write([]byte("<p>Hello</p>"))
			case "/away":
				http.Redirect(rw, r, "http://127.0.0.1:1/callback?code=hush", http.StatusSeeOther)
			default:
				http.Error(rw, "no", http.StatusTeapot)
			}
		}), nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/round": "does not end", "/odd": "cannot be filled in", "/else": "418", "/away": "no server answered at the redirect address",
	} {
		err := browser{}.browse(t.Context(), origin+path)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestClientsThatSpeakInLines(t *testing.T) {
	for act, want := range map[string]outcome{
		"garbled":   {Err: "the client said something else: Listening!"},
		"silent":    {Err: "ended with exit status 1 and no word"},
		"failing":   {Err: "Denied: access_denied", Noise: []string{"a word"}},
		"unfailing": {Err: "ended well after Denied: access_denied"},
		"well":      {Tools: []string{"a"}, Requests: []string{"POST /mcp 200"}, Steps: []step{{"a", json.RawMessage(`{"zone":"UTC"}`)}}},
	} {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = []string{"OUTSIDE_ACT=" + act}
		got := spoken(t.Context(), cmd, browser{})
		if got.Err != want.Err || !slices.Equal(got.Tools, want.Tools) || !slices.Equal(got.Requests, want.Requests) ||
			!slices.Equal(got.Noise, want.Noise) || len(got.Steps) != len(want.Steps) {
			t.Errorf("%s: %+v", act, got)
		}
	}
}

func TestServerThatDoesNotStart(t *testing.T) {
	for _, act := range []string{"garbled", "silent"} {
		if s, err := serve(t.Context(), os.Args[0], []string{"OUTSIDE_ACT=" + act}, "as"); err == nil || !strings.Contains(err.Error(), "stile serve as did not say where it is") {
			t.Errorf("%s: %v %v", act, s, err)
		}
	}
	r := runWorld(context.Background(), options{}, recipe{name: "x", scenarios: plain, make: func(context.Context, options, *world) error {
		return errors.New("no room")
	}}, []client{{name: "c"}})
	if len(r) != 1 || len(r[0].Faults) == 0 || r[0].Faults[0] != "no room" {
		t.Errorf("%+v", r)
	}
}

func TestSuiteIsWatched(t *testing.T) {
	const address = "http://127.0.0.1:1/authorize?code_challenge=x"
	for _, said := range []string{
		"Running\n" + address + "\nCallback server started: http://127.0.0.1:2\nwell\n",
		"Callback server started: http://127.0.0.1:2\n" + address + "\n\nwell\n",
	} {
		var visits []string
		lines, err := watch(strings.NewReader(said), func(a string) { visits = append(visits, a) })
		if err != nil || !slices.Equal(visits, []string{address}) || lines[len(lines)-1] != "well" {
			t.Errorf("%q: %q %q %v", said, visits, lines, err)
		}
	}
	oops := errors.New("oops")
	some := []kit.Row{{Name: "a"}, {Name: "b", Faults: []string{"x"}}}
	blame(some, oops)
	if len(some[0].Faults) > 0 || len(some[1].Faults) != 2 {
		t.Errorf("%+v", some)
	}
	none := []kit.Row{{Name: "a"}, {Name: "b"}}
	blame(none, oops)
	if len(none[0].Faults) == 0 || len(none[1].Faults) == 0 {
		t.Errorf("%+v", none)
	}
}

// The verifier of the world is one of bearer's: a token that nobody gave opens
// nothing.
func TestStrangersStayOutside(t *testing.T) {
	w := here(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.resource, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer made-up")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if c := resp.Header.Get("WWW-Authenticate"); resp.StatusCode != 401 || !strings.Contains(c, bearer.MetadataURL(w.resource)) {
		t.Errorf("%s %s", resp.Status, c)
	}
}
