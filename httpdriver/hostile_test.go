package httpdriver_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

var update = flag.Bool("update", false, "write the golden files anew")

// scene is a world in memory, on a clock of its own, whose servers can be
// replaced by hostile ones that know what was issued before.
type scene struct {
	*world
	t       *testing.T
	file    string
	answers *page
	d       *httpdriver.Driver
	c       *http.Client
}

// play runs a scene in a bubble of time. Its end waits for everything that was
// started: a goroutine that is left over is a deadlock there, and fails.
func play(t *testing.T, f func(s *scene)) {
	t.Helper()
	dir := stateDir(t)
	synctest.Test(t, func(t *testing.T) {
		// Two ends of TLS that close at once over a pipe wait for each other for
		// some seconds of the bubble's time.
		t.Cleanup(func() { time.Sleep(time.Minute) })
		s := &scene{t: t, file: filepath.Join(dir, "as"), answers: &page{}}
		w, err := beginOn(&memnet{}, func(p setup) {
			p.AS.StateFile, p.Wrap["as"] = s.file, s.answers.tee
			p.Driver.Policy.Redirects = []string{webCallback}
		})
		if err != nil {
			t.Fatal(err)
		}
		s.world = w
		defer w.end()
		roots := w.elsewhere(t, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			_, _ = rw.Write([]byte(`{"issuer":"https://elsewhere.example","resource":"https://elsewhere.example/mcp","access_token":"from elsewhere","token_type":"Bearer","expires_in":3600,"refresh_token":"from elsewhere"}`))
		}))
		w.options.Transport = &http.Transport{DialContext: w.net.dial, TLSClientConfig: roots}
		user := &http.Transport{DialContext: w.net.dial, TLSClientConfig: roots, DisableKeepAlives: true}
		w.options.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
			location, err := followBy(ctx, user, v)
			if err != nil {
				<-ctx.Done() // a user whom the page leads nowhere
			}
			return location, err
		})
		s.d = w.driver(t)
		defer func() { _ = s.d.Close() }()
		s.c = w.client(t, s.d)
		f(s)
	})
}

// stateDir is where the issuer keeps what must outlive its replacement: in
// memory if there is such a place, for it is written with every request.
func stateDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "stile-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// turn replaces both servers by ones with the fault.
func (s *scene) turn(fault string) {
	s.t.Helper()
	asFaults, rsFaults, err := peer.Side([]string{fault})
	if err != nil {
		s.t.Fatal(err)
	}
	ac := devas.DefaultAS(s.ASURL)
	ac.AutoConsent, ac.Scopes, ac.StateFile, ac.Faults = true, []string{"user", "admin"}, s.file, asFaults
	as, err := devas.NewAS(ac)
	if err != nil {
		s.t.Fatal(err)
	}
	rs, err := devas.NewRS(devas.RSConfig{
		Resource: s.Server, Issuers: []string{s.ASURL}, Scopes: []string{"user"}, Verifier: as.Verifier(),
		Tools: []bearer.ToolScopes{{Tool: "admin", Scopes: []string{"admin"}}}, MCP: http.HandlerFunc(echo), Faults: rsFaults,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.swap("as", s.answers.tee(as))
	s.swap("rs", rs)
}

// meet makes one request and tells how it ended, in a few words.
func (s *scene) meet(body string) string {
	status, _, err := s.post(s.t.Context(), s.c, body)
	return s.verdict(status, err)
}

func (s *scene) verdict(status int, err error) string {
	f, typed := fsm.FaultOf(err)
	switch {
	case err == nil:
		return fmt.Sprint(status)
	case !typed && errors.Is(err, httpdriver.ErrOutside):
		return "outside"
	case !typed:
		s.t.Errorf("an error of no type: %v", err)
		return "?"
	}
	if _, ok := rules.Lookup(f.Problem.Rule); !ok {
		s.t.Errorf("no rule %q is in docs/rules.md: %v", f.Problem.Rule, err)
	}
	if text := err.Error(); strings.ContainsAny(text, "\x1b\x00\r\n") || len(text) > 4000 || !strings.Contains(text, string(f.State)) {
		s.t.Errorf("the error cannot be shown to people: %q", text)
	}
	return fmt.Sprintf("%s: %s", strings.TrimPrefix(string(f.Party), "the "), f.Problem.Rule)
}

// kept is the credential in the store, as far as it matters.
func (s *scene) kept() *states.Token {
	s.t.Helper()
	if c := s.record(); c != nil {
		return c.Current
	}
	return nil
}

// record is what is stored.
func (s *scene) record() *states.Credential {
	s.t.Helper()
	e, err := s.Store.Get(s.t.Context(), states.Key{Kind: states.KindCredential, Name: s.Server})
	if err != nil {
		return nil
	}
	c, err := states.DecodeCredential(wire.Secret(e.Value))
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func compare(before, after *states.Token) string {
	switch {
	case after == nil:
		return "gone"
	case before.AccessToken != after.AccessToken:
		return "replaced"
	case before.RefreshToken != after.RefreshToken:
		return "unrenewable"
	}
	return "kept"
}

// clean checks where secrets went: to the issuer's own endpoints, and tokens
// to the resource. pinned says that the issuer itself moved an endpoint before
// anything was stored, which is its right.
func (s *scene) clean(pinned bool) {
	s.t.Helper()
	secrets := s.canaries(s.t, s.answers.String())
	for _, r := range s.Tap.requests() {
		text, decoded := r.text(), ""
		if u, err := url.QueryUnescape(text); err == nil {
			decoded = u
		}
		bearing := r.Header.Get("Authorization")
		switch r.To {
		case "as":
			if strings.HasPrefix(bearing, "Bearer at_") || strings.Contains(r.Path, ".well-known") && bearing != "" {
				s.t.Errorf("a token went to the issuer: %v", r)
			}
			// Where the issuer's own endpoints lie, or have moved to by its own word.
			switch strings.TrimPrefix(r.Path, "/moved") {
			case "/token", "/revoke", "/register":
				continue
			}
		case "rs":
			if strings.Contains(r.Path, ".well-known") && bearing != "" {
				s.t.Errorf("a token went to a metadata address: %v", r)
			}
			if strings.HasPrefix(r.Path, "/mcp") {
				text, decoded = strings.Replace(text, bearing, "", 1), ""
			}
		default:
			if pinned {
				continue
			}
		}
		for kind, v := range secrets {
			if strings.HasPrefix(kind, "state") && r.To == "as" {
				continue
			}
			if strings.Contains(text, v) || strings.Contains(decoded, v) {
				s.t.Errorf("%v holds a %s", r, kind)
			}
		}
	}
	if n := len(s.Tap.requests()); n > 40 {
		s.t.Errorf("%d requests:%s", n, s.Tap.list())
	}
	for _, a := range s.net.dialed {
		if !strings.HasPrefix(a, "127.0.0.1:") && !strings.HasSuffix(a, ".example:443") {
			s.t.Errorf("somebody tried to connect to %s", a)
		}
	}
}

// golden compares lines with a file, or writes it.
func golden(t *testing.T, name string, lines []string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if slices.Contains(lines, "") { // these were not tried
		lines = complete(t, file, lines)
	}
	got := strings.Join(lines, "\n") + "\n"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
		t.Errorf("%s is not what it was (go test -run %s -update):\n%s", file, t.Name(), d)
	}
}

// complete takes the parts that were not tried from the golden file. A part begins with a
// line that is not indented.
func complete(t *testing.T, file string, lines []string) []string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	for line := range strings.SplitSeq(strings.TrimSuffix(string(b), "\n"), "\n") {
		if strings.HasPrefix(line, " ") {
			parts[len(parts)-1] += "\n" + line
		} else {
			parts = append(parts, line)
		}
	}
	if len(parts) != len(lines) {
		t.Fatalf("%s has %d parts, not %d: update it without the race detector", file, len(parts), len(lines))
	}
	out := slices.Clone(lines)
	for i := range out {
		if out[i] == "" {
			out[i] = parts[i]
		}
	}
	return out
}

// meetings are the four ways in which a hostile peer is met. The last three
// have a credential in the store.
var meetings = []struct {
	name string
	meet func(s *scene, turn func()) string
}{
	{"first login", func(s *scene, turn func()) string {
		turn()
		return s.meet(ping)
	}},
	{"token expired", func(s *scene, turn func()) string {
		return s.holding(ping, func() { time.Sleep(2 * time.Hour); turn() })
	}},
	{"grant revoked", func(s *scene, turn func()) string {
		return s.holding(ping, func() { s.revokeFamily(s.t); turn() })
	}},
	{"more scope needed", func(s *scene, turn func()) string {
		return s.holding(admin, turn)
	}},
}

// holding makes a request when a credential is held and something has turned
// bad, and tells how it ended, what became of the credential, and how it goes
// on with what is held.
func (s *scene) holding(body string, turn func()) string {
	s.call(s.t, s.c)
	before := s.kept()
	turn()
	out := s.meet(body)
	after := s.kept()
	how := compare(before, after)
	out += ", " + how
	if body == admin {
		return out + ", then " + s.meet(ping)
	}
	// A refresh token is given up for one reason only: its issuer said so.
	said := s.answers.String()
	disowned := strings.Contains(said, "invalid_grant") || strings.Contains(said, "bad_verification_code") || strings.Contains(said, "invalid_code")
	if (how == "gone" || how == "unrenewable") && !disowned {
		s.t.Errorf("the credential is %s", how)
	}
	return out
}

// TestFaults meets every fault of package peer over HTTP. Each meeting ends, in
// one typed error that cites a rule or in success; no secret goes to a wrong
// place; a credential that was stored is as it was, or was replaced by a
// better one, or was disowned by its own issuer. The golden file says which.
//
// With the race detector one fault in nthFault is tried here, all with make soak.
func TestFaults(t *testing.T) { meetFaults(t, nthFault) }

func meetFaults(t *testing.T, nth int) {
	faults := peer.Faults()
	lines := make([]string, len(faults))
	t.Run("each", func(t *testing.T) {
		for i, f := range faults {
			if i%nth != 0 {
				continue
			}
			t.Run(f.Name, func(t *testing.T) {
				t.Parallel()
				lines[i] = fmt.Sprintf("%s (%s, breaks %s)", f.Name, f.Endpoint, f.Rule)
				for _, m := range meetings {
					play(t, func(s *scene) {
						lines[i] += fmt.Sprintf("\n  %s: %s", m.name, m.meet(s, func() { s.turn(f.Name) }))
						s.clean(f.Name == "asm-foreign-token-endpoint")
					})
				}
			})
		}
	})
	golden(t, "faults.golden", lines)
}
