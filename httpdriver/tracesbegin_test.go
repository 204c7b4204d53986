package httpdriver_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm/trace"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

// watched is a store that tells which entries are read and written.
type watched struct {
	storage.Store
	look func(states.Key)
}

func (s watched) Get(ctx context.Context, k states.Key) (storage.Entry, error) {
	s.look(k)
	return s.Store.Get(ctx, k)
}

func (s watched) Put(ctx context.Context, k states.Key, v []byte, g states.Generation, at time.Time) (states.Generation, error) {
	s.look(k)
	return s.Store.Put(ctx, k, v, g, at)
}

// A run that fails as it reads the store has a trace, and that of a login is there before
// anything is sent: a program that hangs or dies there can be understood.
func TestTracesBegin(t *testing.T) {
	var opened atomic.Int32
	trace := func(o *httpdriver.Options) {
		o.Trace = func(httpdriver.Account) (io.WriteCloser, error) {
			opened.Add(1)
			return &writer{after: 1 << 20}, nil
		}
	}
	// The first question is for the credential, those that follow are for other entries.
	looked := func(s storage.Store) storage.Store {
		return watched{s, func(k states.Key) {
			if k.Kind != states.KindCredential && opened.Load() != 1 {
				t.Errorf("a %s is asked for: %d traces", k.Kind, opened.Load())
			}
		}}
	}
	w := newWorld(t, func(s setup) {
		s.Wrap["as"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if opened.Load() != 1 {
					t.Errorf("%s: %d traces", r.URL.Path, opened.Load())
				}
				h.ServeHTTP(rw, r)
			})
		}
		s.Wrap["rs"] = func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "/.well-known/") && opened.Load() != 1 {
					t.Errorf("%s: %d traces", r.URL.Path, opened.Load())
				}
				h.ServeHTTP(rw, r)
			})
		}
	})
	if err := w.driver(t, trace, func(o *httpdriver.Options) { o.Store = looked(w.Store) }).Login(t.Context(), w.account()); err != nil {
		t.Fatal(err)
	}
	opened.Store(0)
	d := w.driver(t, trace, func(o *httpdriver.Options) {
		o.Store = brokenStore{w.Store, func() error { return errors.New("connection refused") }}
	})
	if _, err := d.Token(t.Context(), w.account()); err == nil || opened.Load() != 1 {
		t.Errorf("%v, %d traces", err, opened.Load())
	}
}

// A refusal that changes nothing has a trace: it shows why the token was not replaced.
func TestTraceOfARefusalThatChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.call(t, w.client(t, w.driver(t)))
	f := &writer{after: 1 << 20}
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Trace = func(httpdriver.Account) (io.WriteCloser, error) { return f, nil }
	})
	if _, err := d.Token(t.Context(), w.account()); err != nil || f.b.Len() > 0 {
		t.Fatalf("%v, and a trace of the look: %q", err, f.b.String())
	}
	resp := &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{"Www-Authenticate": {`Bearer error="invalid_request"`}}}
	if err := d.Challenge(t.Context(), w.account(), resp); !errors.Is(err, httpdriver.ErrNotChallenged) {
		t.Error(err)
	}
	if told, err := trace.Parse([]byte(f.b.String())); err != nil || len(told.Steps) < 3 {
		t.Errorf("%v: %q", err, f.b.String())
	}
}

// A configuration whose secret is a word of the trace itself is not recorded, and the login
// goes on.
func TestNoTraceOfASecret(t *testing.T) {
	var b lines
	d, err := httpdriver.New(httpdriver.Options{
		Send: (&library{}).send, Host: httpdriver.Web(webCallback), Logger: slog.New(slog.NewJSONHandler(&b, nil)),
		Policy: httpdriver.Policy{Client: &states.Configured{Issuer: libraryIssuer, ID: "app", Secret: wire.Secret(trace.TableHash())}},
		Trace: func(httpdriver.Account) (io.WriteCloser, error) {
			t.Error("a trace is written")
			return &writer{after: 1 << 20}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	rt, err := d.Transport(reader("one"), roundTrip(func(*http.Request) (*http.Response, error) { return refusal(), nil }))
	if err != nil {
		t.Fatal(err)
	}
	_ = required(t, readTo(t, rt, http.MethodGet, reader("one").Server)) // looks, and then logs in
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	told := 0
	for _, line := range b.all(t) {
		if line["msg"] == "no trace is made" {
			told++
		}
	}
	if told == 0 {
		t.Errorf("the log:\n%s", b.String())
	}
}

// A run that goes on where another one ended continues its trace, as long as that is open, and
// otherwise begins one of its own: nothing is written to a trace that was closed.
func TestTracesGoOn(t *testing.T) {
	var traces []*writer
	w := newWorld(t)
	d := w.driver(t, func(o *httpdriver.Options) {
		o.Trace = func(httpdriver.Account) (io.WriteCloser, error) {
			f := &writer{after: 1 << 20}
			traces = append(traces, f)
			return f, nil
		}
	})
	w.call(t, w.client(t, d)) // looks, logs in, and stores that the token was accepted
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if len(traces) != 2 {
		t.Fatalf("%d traces", len(traces))
	}
	for i, want := range []struct {
		machine bool // it begins with a machine that has moved before
		from    string
		state   string
	}{{false, `"from":"Idle"`, "Exchanging"}, {true, `"from":"Authorized"`, "Accepting"}} {
		header, steps, _ := strings.Cut(traces[i].b.String(), "\n")
		first, _, _ := strings.Cut(steps, "\n")
		if !strings.HasPrefix(header, `{"format":`) || strings.Contains(header, `"machine":`) != want.machine ||
			!strings.Contains(first, `"n":1,`) || !strings.Contains(first, want.from) || !strings.Contains(steps, want.state) {
			t.Errorf("trace %d:\n%s", i, traces[i].b.String())
		}
		if traces[i].closed != 1 || traces[i].late != 0 {
			t.Errorf("trace %d: closed %d times, %d lines after that", i, traces[i].closed, traces[i].late)
		}
	}
}
