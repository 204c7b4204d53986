package httpdriver_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// zeros is a source of random bytes that are none.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// registered is what a driver said of itself when it registered.
func (w *world) registered(t *testing.T) (name, redirect string) {
	t.Helper()
	for _, s := range w.Tap.requests() {
		if s.To == "as" && s.Path == "/register" {
			var m struct {
				Name      string   `json:"client_name"`
				Redirects []string `json:"redirect_uris"`
			}
			if err := json.Unmarshal([]byte(s.Body), &m); err != nil || len(m.Redirects) == 0 {
				t.Fatalf("%s: %v", s.Body, err)
			}
			return m.Name, m.Redirects[0]
		}
	}
	t.Fatal("no registration")
	return "", ""
}

// TestWhatAHostConfigures: randomness, names and quirks are the host's where it has given
// them, and sound where it has not.
func TestWhatAHostConfigures(t *testing.T) {
	login := func(change func(*httpdriver.Options)) (state, name, redirect string) {
		w := newWorld(t)
		d := w.driver(t, change, func(o *httpdriver.Options) {
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				u, err := url.Parse(v.URL)
				if err != nil {
					return "", err
				}
				state = u.Query().Get("state")
				return follow(ctx, v)
			})
		})
		w.call(t, w.client(t, d))
		name, redirect = w.registered(t)
		return state, name, redirect
	}
	plain := func(*httpdriver.Options) {}
	given := func(o *httpdriver.Options) {
		o.Rand, o.Policy.ClientName = zeros{}, "the host"
		o.Policy.Quirks = []states.Quirk{{Name: states.RedirectLocalhost}}
	}
	s1, name, redirect := login(plain)
	s2, _, _ := login(plain)
	if s1 == s2 || name != "Stile" || !strings.HasPrefix(redirect, "http://127.0.0.1") {
		t.Errorf("two logins with the states %q and %q, as %s at %s", s1, s2, name, redirect)
	}
	s1, name, redirect = login(given)
	s2, _, _ = login(given)
	if s1 != s2 || name != "the host" || !strings.HasPrefix(redirect, "http://localhost") {
		t.Errorf("configured: the states %q and %q, as %s at %s", s1, s2, name, redirect)
	}
}

// TestWhatIsLogged: every step at Debug, what was tolerated at Info, failures at Warn, each
// with its server.
func TestWhatIsLogged(t *testing.T) {
	for level, want := range map[slog.Level][]string{
		slog.LevelDebug: {"step", "noted", "authorization failed"}, slog.LevelInfo: {"noted", "authorization failed"}, slog.LevelWarn: {"authorization failed"},
	} {
		var b lines
		w := newWorld(t, func(s setup) { *s.Faults = append(*s.Faults, "token-cacheable") })
		w.options.Logger = slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: level}))
		d := w.driver(t)
		w.call(t, w.client(t, d))
		refusing := w.driver(t, func(o *httpdriver.Options) { o.Host, o.Store = httpdriver.UserAgent(refuse), storage.NewMemory() })
		if _, _, err := w.post(t.Context(), w.client(t, refusing), ping); err == nil {
			t.Fatal("no error")
		}
		seen := map[string]bool{}
		for _, line := range b.all(t) {
			msg, _ := line["msg"].(string)
			if strings.Contains(msg, "trace") {
				t.Errorf("a driver without traces says %q", msg)
			}
			if seen[msg] = true; line["server"] != w.Server && (msg == "step" || msg == "noted" || msg == "authorization failed") {
				t.Errorf("%v names no server", line)
			}
		}
		for _, msg := range []string{"step", "noted", "authorization failed"} {
			wanted := false
			for _, m := range want {
				wanted = wanted || m == msg
			}
			if seen[msg] != wanted {
				t.Errorf("at %v: %q is logged: %v", level, msg, seen[msg])
			}
		}
	}
}

// TestATransportWithoutAnAnswer: a transport of the host that gives no answer may have
// sent the request; one that answers is all that is asked.
func TestATransportWithoutAnAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t, func(o *httpdriver.Options) { o.Send = func(context.Context, states.Send) states.Input { return nil } })
		err := d.Challenge(t.Context(), w.account(), refusal())
		if f, ok := fsm.FaultOf(err); !ok || !strings.Contains(err.Error(), "the host's own transport failed") || !f.Transient {
			t.Errorf("%v", err)
		}
		w.exactly(t, 0)
	})
}

// TestRefusalsOfOthers: a refusal that is not about authorization is the host's to answer.
func TestRefusalsOfOthers(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t)
	w.call(t, w.client(t, d))
	h, err := d.Handler(w.account())
	if err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"", `Basic realm="x"`} {
		resp := func() *http.Response {
			r := &http.Response{StatusCode: http.StatusForbidden, Status: "403 Forbidden", Header: http.Header{}, Body: &body{Reader: strings.NewReader("")}}
			if scheme != "" {
				r.Header.Set("WWW-Authenticate", scheme)
			}
			return r
		}
		if err := d.Challenge(t.Context(), w.account(), resp()); !errors.Is(err, httpdriver.ErrNotChallenged) {
			t.Errorf("%q: %v", scheme, err)
		}
		r := resp()
		req, err := http.NewRequestWithContext(t.Context(), "GET", w.Server, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Authorize(t.Context(), req, r); !errors.Is(err, httpdriver.ErrNotChallenged) || !strings.Contains(err.Error(), "403 Forbidden") || r.Body.(*body).closed == 0 {
			t.Errorf("%q: Authorize says %v", scheme, err)
		}
	}
	empty, err := w.driver(t, func(o *httpdriver.Options) { o.Store = storage.NewMemory() }).Handler(w.account())
	if err != nil {
		t.Fatal(err)
	}
	if source, err := empty.TokenSource(t.Context()); source != nil || err != nil {
		t.Errorf("without a token: %v %v", source, err)
	}
}

// TestStatusOf: what is stored is told as it is, and what cannot be read is an error.
func TestStatusOf(t *testing.T) {
	w := newWorld(t, binding(states.TryBinding, peer.DPoPOffered))
	d := w.driver(t)
	if st, err := d.Status(t.Context(), w.account()); err != nil || st.LoggedIn || st.Account != w.account() {
		t.Errorf("before: %+v %v", st, err)
	}
	w.call(t, w.client(t, d))
	st, err := d.Status(t.Context(), w.account())
	if err != nil || !st.LoggedIn || !st.Bound || !st.Renewable || st.Refreshing || st.GivenUp || st.Issuer != w.ASURL || st.ClientID == "" || st.Resource != w.Server || st.Received.IsZero() {
		t.Errorf("%+v %v", st, err)
	}
	unbound := newWorld(t, func(s setup) { s.AS.NoRefresh = true })
	d = unbound.driver(t)
	unbound.call(t, unbound.client(t, d))
	if st, err := d.Status(t.Context(), unbound.account()); err != nil || !st.LoggedIn || st.Bound || st.Renewable {
		t.Errorf("without a key and a refresh token: %+v %v", st, err)
	}
	key := states.Key{Kind: states.KindCredential, Name: w.Server}
	for name, c := range map[string]struct {
		store storage.Store
		want  string
	}{
		"not a credential": {holding(t, key, "x"), "the stored credential"},
		"down":             {brokenStore{storage.NewMemory(), func() error { return errors.New("connection refused") }}, "connection refused"},
	} {
		d := w.driver(t, func(o *httpdriver.Options) { o.Store = c.store })
		if st, err := d.Status(t.Context(), w.account()); err == nil || !strings.Contains(err.Error(), c.want) || st.LoggedIn {
			t.Errorf("%s: %+v %v", name, st, err)
		}
	}
	if _, err := d.Status(t.Context(), httpdriver.Account{Server: "no address"}); err == nil {
		t.Error("a server without an address has a status")
	}
}

// writer is the place of a trace, which may fail.
type writer struct {
	b      strings.Builder
	after  int // so many lines go well
	closed int
	late   int // so many lines came after the end
}

func (f *writer) Write(p []byte) (int, error) {
	f.late += f.closed
	if f.after--; f.after < 0 {
		return 0, errors.New("the disk is full")
	}
	return f.b.Write(p)
}

func (f *writer) Close() error { f.closed++; return nil }

// TestTracesThatFail: a login does not depend on its trace. The log says once that there
// is none, or that it was cut off, and nothing is written after that.
func TestTracesThatFail(t *testing.T) {
	for name, c := range map[string]struct {
		open  error
		after int
		want  string
	}{
		"cannot be opened": {errors.New("no such directory"), 0, "no trace is written: no such directory"},
		"is cut off":       {nil, 2, "the trace is cut off: the disk is full"},
	} {
		var b lines
		w := newWorld(t)
		w.options.Logger = slog.New(slog.NewJSONHandler(&b, nil))
		var opened []*writer
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Trace = func(a httpdriver.Account) (io.WriteCloser, error) {
				if a != w.account() {
					t.Errorf("a trace of %v", a)
				}
				f := &writer{after: c.after}
				opened = append(opened, f)
				return f, c.open
			}
		})
		if err := d.Login(t.Context(), w.account()); err != nil {
			t.Fatal(err)
		}
		said := 0
		for _, line := range b.all(t) {
			if line["msg"] == c.want {
				said++
			}
		}
		if said != 1 || len(opened) != 1 {
			t.Errorf("%s: said %d times, opened %d", name, said, len(opened))
		}
		if f := opened[0]; c.open == nil && (f.closed != 1 || !strings.HasSuffix(f.b.String(), "\n")) {
			t.Errorf("%s: closed %d times, with %q", name, f.closed, f.b.String())
		}
	}
}

// TestLookingLeavesNoTrace: a run that only looks at the store leaves no trace, and one
// that goes on from there has all of it.
func TestLookingLeavesNoTrace(t *testing.T) {
	w := newWorld(t)
	var traces []*writer
	trace := func(o *httpdriver.Options) {
		o.Trace = func(httpdriver.Account) (io.WriteCloser, error) {
			f := &writer{after: 1 << 20}
			traces = append(traces, f)
			return f, nil
		}
	}
	d := w.driver(t, trace)
	if _, err := d.Token(t.Context(), w.account()); !errors.Is(err, httpdriver.ErrNoToken) || len(traces) != 0 {
		t.Errorf("%v, %d traces", err, len(traces))
	}
	w.call(t, w.client(t, d))
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if len(traces) == 0 || !strings.Contains(traces[0].b.String(), "Loading") || !strings.Contains(traces[0].b.String(), "Exchanging") || traces[0].closed != 1 {
		t.Fatalf("%d traces", len(traces))
	}
	n := len(traces)
	for i, f := range traces {
		if f.closed != 1 || f.late != 0 {
			t.Errorf("trace %d: closed %d times, %d lines after that", i, f.closed, f.late)
		}
	}
	again := w.driver(t, trace)
	w.call(t, w.client(t, again))
	if len(traces) != n {
		t.Errorf("%d traces of a token that is only read", len(traces)-n)
	}
}

// TestTraceDirBetween: a directory of traces is looked through once in 64 traces; what is
// no file in it stays, and one that cannot be made is an error.
func TestTraceDirBetween(t *testing.T) {
	dir := t.TempDir()
	to := httpdriver.TraceDir(dir)
	open := func() {
		f, err := to(httpdriver.Account{})
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	open()
	large := filepath.Join(dir, "stile-20250101T000000.000000-1-1.ndjson")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, 2<<30); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(dir, "stile-20240101T000000.000000-1-1.ndjson")
	if err := os.Mkdir(kept, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := 2; i <= 65; i++ {
		_, err := os.Stat(large)
		if err != nil {
			t.Fatalf("it was removed with trace %d", i-1)
		}
		open()
	}
	if _, err := os.Stat(large); !os.IsNotExist(err) {
		t.Errorf("it is there after %d traces: %v", 65, err)
	}
	if _, err := os.Stat(kept); err != nil {
		t.Error(err)
	}
	list, err := os.ReadDir(dir)
	if err != nil || len(list) != 66 {
		t.Errorf("%d names, %v", len(list), err)
	}
	for _, e := range list {
		if info, err := e.Info(); err != nil || info.Mode().IsRegular() && info.Mode().Perm() != 0o600 || !strings.Contains(e.Name(), "-"+strconv.Itoa(os.Getpid())+"-") && e.Name() != filepath.Base(kept) {
			t.Errorf("%v %v", info, err)
		}
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := httpdriver.TraceDir(filepath.Join(file, "below"))(httpdriver.Account{}); err == nil {
		t.Error("a directory below a file")
	}
}

// lines collects JSON lines of a logger.
type lines struct{ page }

func (l *lines) all(t *testing.T) (out []map[string]any) {
	t.Helper()
	for line := range strings.Lines(l.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

// TestOldTokensAreNotSentOn: a token whose time is over is not handed out while the issuer
// cannot be asked, and one that is only due is.
func TestOldTokensAreNotSentOn(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		d := w.driver(t)
		w.call(t, w.client(t, d))
		tok, err := d.Token(t.Context(), w.account())
		if err != nil {
			t.Fatal(err)
		}
		if left := tok.Expiry.Sub(w.Clock.Now()); left > time.Hour || left < 50*time.Minute || tok.TokenType != "Bearer" {
			t.Errorf("it is good for %v as %s", left, tok.TokenType)
		}
		w.swap("as", http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, "down", http.StatusServiceUnavailable) }))
		w.Clock.forward(time.Hour - 15*time.Second)
		if again, err := d.Token(t.Context(), w.account()); err != nil || again.AccessToken != tok.AccessToken {
			t.Errorf("seconds before its end: %v", err)
		}
		w.Clock.forward(time.Minute)
		if again, err := d.Token(t.Context(), w.account()); err == nil {
			t.Errorf("after its end: a token that is good until %v", again.Expiry)
		}
	})
}
