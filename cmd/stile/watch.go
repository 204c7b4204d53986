package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/stile-oauth/stile/fsm/trace"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/loopback"
	"github.com/stile-oauth/stile/states"
)

// watchPatience is how long a finished command waits for a browser to fetch the page,
// because a browser that has just started needs a moment.
const watchPatience = 5 * time.Second

// watch shows a run in a browser while it is under way: a page on loopback that
// follows the trace by server-sent events. The trace has no secrets (package
// trace), so the page has none.
type watch struct {
	a       *app
	server  *http.Server
	address string

	mu      sync.Mutex
	reader  trace.Reader
	partial []byte        // a line without its end
	shown   *trace.Trace  // what is to be shown; nil before the first step
	first   bool          // no run was shown before the one that is read
	ended   string        // how the run ended
	changed chan struct{} // closed when one of them changes
	fetched chan struct{} // closed when a browser has asked for events
	once    sync.Once
}

// watch begins to show a run of the command; title says which.
func (a *app) watch(ctx context.Context, title string, noBrowser bool) (*watch, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, failed("--watch: %w", err)
	}
	w := &watch{a: a, address: "http://" + l.Addr().String() + "/", changed: make(chan struct{}), fetched: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(rw, trace.Live(title))
	})
	mux.HandleFunc("GET /events", w.events)
	w.server = &http.Server{Handler: only(l.Addr().String(), mux), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = w.server.Serve(l) }()
	a.notice("Watch the login at " + w.address)
	browse := a.browse
	if browse == nil {
		browse = loopback.OpenBrowser
	}
	if noBrowser || browse(ctx, w.address) != nil {
		w.once.Do(func() { close(w.fetched) }) // no browser to wait for
	}
	return w, nil
}

// only answers requests of the page itself and of a user who typed its address. No page
// of another site may read the answers through a name that points here.
func only(host string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if site := r.Header.Get("Sec-Fetch-Site"); r.Host != host || site == "cross-site" || site == "same-site" {
			http.Error(rw, "not for this page", http.StatusForbidden)
			return
		}
		for name, value := range map[string]string{
			"Cache-Control": "no-store", "Content-Security-Policy": "frame-ancestors 'none'", "Referrer-Policy": "no-referrer",
			"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			rw.Header().Set(name, value)
		}
		h.ServeHTTP(rw, r)
	})
}

// events sends what is to be shown, each time that it changes, until the end.
func (w *watch) events(rw http.ResponseWriter, r *http.Request) {
	w.once.Do(func() { close(w.fetched) })
	rw.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(rw)
	_ = out.Flush()
	var sent *trace.Trace
	for {
		w.mu.Lock()
		shown, ended, changed := w.shown, w.ended, w.changed
		w.mu.Unlock()
		if shown != sent || shown != nil && ended != "" {
			page, _ := json.Marshal(trace.Content(shown, ended == "")) // a string is always JSON
			if _, err := fmt.Fprintf(rw, "event: page\ndata: %s\n\n", page); err != nil {
				return
			}
			sent = shown
		}
		if ended != "" {
			last, _ := json.Marshal(ended)
			_, _ = fmt.Fprintf(rw, "event: end\ndata: %s\n\n", last)
			return
		}
		if out.Flush() != nil {
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// traceTo shows the run that is also written to the trace. next may be nil.
func (w *watch) traceTo(next httpdriver.TraceTo) httpdriver.TraceTo {
	return func(account httpdriver.Account) (io.WriteCloser, error) {
		to := &watched{w: w}
		if next != nil {
			file, err := next(account)
			if err != nil {
				return nil, err
			}
			to.file = file
		}
		w.mu.Lock()
		w.first = w.shown == nil
		w.reader, w.partial = trace.Reader{}, nil
		w.mu.Unlock()
		return to, nil
	}
}

// watched is the place of a trace that is shown.
type watched struct {
	w    *watch
	file io.WriteCloser
}

func (t *watched) Write(b []byte) (int, error) {
	t.w.add(b)
	if t.file == nil {
		return len(b), nil
	}
	return t.file.Write(b)
}

func (t *watched) Close() error {
	if t.file == nil {
		return nil
	}
	return t.file.Close()
}

// add takes the next bytes of the trace.
func (w *watch) add(b []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.partial = append(w.partial, b...)
	for {
		line, rest, whole := bytes.Cut(w.partial, []byte{'\n'})
		if !whole {
			break
		}
		_ = w.reader.Line(bytes.Clone(line))
		w.partial = rest
	}
	if t, err := w.reader.Trace(); err == nil && len(t.Steps) > 0 && (w.first || asksSomebody(t)) {
		w.shown = t
		w.tell()
	}
}

// asksSomebody reports whether a run has asked a server or the user for something. A
// run that has not, such as that of a request which the server accepted, does not
// replace the login on the page.
func asksSomebody(t *trace.Trace) bool {
	return slices.ContainsFunc(t.Steps, func(s trace.Step) bool {
		return slices.ContainsFunc(s.Effects, func(e states.Effect) bool {
			switch e.(type) {
			case states.Send, states.Visit:
				return true
			default:
				return false
			}
		})
	})
}

func (w *watch) tell() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// close ends the page with a sentence about the result. A browser that was started has
// a moment to fetch it.
func (w *watch) close(ctx context.Context, failed error) error {
	w.mu.Lock()
	w.ended = "The command is done."
	if failed != nil {
		w.ended = "The command failed: " + w.a.secrets.mask(describe(failed).Message)
	}
	w.tell()
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, watchPatience)
	defer cancel()
	select {
	case <-w.fetched:
	case <-ctx.Done():
	}
	err := w.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return w.server.Close() // a client that does not read
	}
	return err
}
