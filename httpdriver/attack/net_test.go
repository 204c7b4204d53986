package attack_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// network is a network in memory, so that worlds live in a bubble of time and nobody
// waits for a deadline. It keeps every request that arrives anywhere.
type network struct {
	mu    sync.Mutex
	at    map[string]*listener
	seen  []request
	sent  int      // by the driver
	tries []string // addresses that somebody tried to connect to
}

type request struct {
	to      string // the server's name
	path    string
	user    bool // sent by the user's browser
	bearer  string
	text    string // everything of it
	form    url.Values
	refresh bool
}

type listener struct {
	addr   string
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *listener) Addr() net.Addr { return pipeAddr(l.addr) }

type pipeAddr string

func (pipeAddr) Network() string  { return "memory" }
func (a pipeAddr) String() string { return string(a) }

// listen opens a free port of 127.0.0.1.
func (n *network) listen() *listener {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.at == nil {
		n.at = map[string]*listener{}
	}
	l := &listener{addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(7001+len(n.at))), conns: make(chan net.Conn), closed: make(chan struct{})}
	n.at[l.addr] = l
	return l
}

func (n *network) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	n.mu.Lock()
	n.tries = append(n.tries, addr)
	l := n.at[addr]
	n.mu.Unlock()
	if l == nil {
		return nil, errors.New("nobody listens there")
	}
	here, there := net.Pipe()
	select {
	case l.conns <- there:
		return here, nil
	case <-l.closed:
		return nil, errors.New("nobody listens there any more")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serve runs a handler, and keeps what arrives there under the server's name.
func (n *network) serve(name string, l *listener, h http.Handler) *http.Server {
	s := &http.Server{
		Handler: n.kept(name, h), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0), ReadHeaderTimeout: time.Minute,
	}
	go func() { _ = s.Serve(l) }()
	return s
}

func (n *network) kept(name string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		var text strings.Builder
		text.WriteString(r.Method + " " + r.Host + " " + r.URL.String() + "\n")
		_ = r.Header.Write(&text)
		text.Write(body)
		form, _ := url.ParseQuery(string(body))
		n.mu.Lock()
		if r.Header.Get("X-User") == "" {
			n.sent++
		}
		n.seen = append(n.seen, request{
			to: name, path: r.URL.Path, user: r.Header.Get("X-User") != "", bearer: r.Header.Get("Authorization"),
			text: text.String(), form: form, refresh: form.Get("grant_type") == "refresh_token",
		})
		n.mu.Unlock()
		h.ServeHTTP(w, r)
	})
}

// requests are those of the driver.
func (n *network) requests() []request {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []request
	for _, r := range n.seen {
		if !r.user {
			out = append(out, r)
		}
	}
	return out
}

// count is how many requests of the driver have come so far.
func (n *network) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sent
}

// told is a log handler that keeps texts as they are, so that nothing is hidden by
// the quoting of a format.
type told struct {
	mu sync.Mutex
	b  strings.Builder
}

func (t *told) Enabled(context.Context, slog.Level) bool { return true }
func (t *told) WithAttrs([]slog.Attr) slog.Handler       { return t }
func (t *told) WithGroup(string) slog.Handler            { return t }

func (t *told) Handle(_ context.Context, r slog.Record) error {
	t.add(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		t.add(a.Key + "=" + a.Value.String())
		return true
	})
	return nil
}

func (t *told) add(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b.WriteString(text + " ")
}

func (t *told) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}
