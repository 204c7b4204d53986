package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// upstream is a connection to the server, with what is known of how the server speaks.
type upstream struct {
	peer     *peer
	carrier  *carrier
	greeting Greeting
	end      context.CancelFunc

	mu        sync.Mutex
	relisten  chan struct{}      // asks for another subscription, in the new era
	listening map[any]jsonrpc.ID // the ids of subscriptions: the server's, and the host's
}

func (u *upstream) modern() bool { return !session(u.greeting.Version) }

func (u *upstream) broken() bool {
	select {
	case <-u.peer.done:
		return true
	default:
		return false
	}
}

// meta is what every request to a server of the new era carries.
func (u *upstream) meta(b *bridge) object {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := object{metaVersion: marshal(u.greeting.Version), metaClient: or(b.hello.client, `{"name":"stile bridge","version":"1"}`), metaCapabilities: or(b.hello.caps, `{}`)}
	if b.level != "" {
		m[metaLevel] = marshal(b.level)
	}
	return m
}

// attempt is a connection that is being made; all requests wait for the same.
type attempt struct {
	done chan struct{}
	up   *upstream
	err  error
}

// connected gives the connection to the server, and makes one if there is none. The
// attempt goes on when ctx ends.
func (b *bridge) connected(ctx context.Context) (*upstream, error) {
	b.mu.Lock()
	if b.up != nil && !b.up.broken() {
		defer b.mu.Unlock()
		return b.up, nil
	}
	a := b.joining
	if a == nil {
		a = &attempt{done: make(chan struct{})}
		b.joining = a
		b.work.Go(func() { b.join(a) })
	}
	b.mu.Unlock()
	select {
	case <-a.done:
		return a.up, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (b *bridge) join(a *attempt) {
	a.up, a.err = b.connect()
	b.mu.Lock()
	b.joining = nil
	missed := b.missed
	if a.err == nil {
		b.up, b.told, b.missed = a.up, a.up.greeting, false
	}
	b.mu.Unlock()
	if a.err == nil {
		b.log.Info("the server is connected", "version", a.up.greeting.Version, "sse", a.up.greeting.SSE)
		if b.o.Memory != nil {
			b.o.Memory.Save(a.up.greeting)
		}
	}
	close(a.done)
	if a.err == nil && missed {
		b.changed(b.ctx)
	}
}

// forget drops a connection that has proved useless.
func (b *bridge) forget(u *upstream) {
	b.mu.Lock()
	if b.up == u {
		b.up = nil
	}
	b.mu.Unlock()
	u.end()
}

// disconnect ends the connection to the server.
func (b *bridge) disconnect() {
	b.mu.Lock()
	up, joining := b.up, b.joining
	b.mu.Unlock()
	if joining != nil {
		<-joining.done
		up = joining.up
	}
	if up != nil {
		up.end()
	}
}

// connect finds out what the server speaks: by one probe, unless the server was found
// to have sessions less than a day ago.
func (b *bridge) connect() (*upstream, error) {
	var known Greeting
	if b.o.Memory != nil {
		known, _ = b.o.Memory.Load()
	}
	order := []bool{false, true} // is it HTTP+SSE?
	switch {
	case b.o.Strategy == HTTPOnly:
		order = order[:1]
	case b.o.Strategy == SSEOnly:
		order = order[1:]
	case b.o.Strategy == SSEFirst, known.SSE && time.Since(known.At) < day:
		slices.Reverse(order)
	}
	probe := !b.o.SessionsOnly && !(session(known.Version) && time.Since(known.At) < day)
	var first error
	for _, sse := range order {
		u, err := b.try(sse, probe && !sse)
		if err == nil {
			return u, nil
		}
		if !probe && !sse && !b.o.SessionsOnly && b.login(err) == nil && b.ctx.Err() == nil {
			if u, e := b.try(sse, true); e == nil { // it may have changed since
				return u, nil
			}
		}
		if first == nil {
			first = err
		}
		if b.ctx.Err() != nil || b.login(err) != nil || !mayBeOther(err) {
			return nil, err
		}
	}
	if b.o.Strategy == SSEOnly {
		return nil, fmt.Errorf("%w: %w", ErrNoSSE, first)
	}
	return nil, first
}

// day is how long the era of a server is believed without another look.
const day = 24 * time.Hour

// refused says that the server did not take the first message.
type refused struct {
	status int // of HTTP; 0 where no answer came
	first  error
}

func (e *refused) Error() string { return e.first.Error() }
func (e *refused) Unwrap() error { return e.first }

// mayBeOther reports whether a server that refused one transport may speak the other
// (MCP 2025-03-26 and later, transports, "Backwards Compatibility").
func mayBeOther(err error) bool {
	var r *refused
	return errors.As(err, &r) && slices.Contains([]int{http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusUnsupportedMediaType, http.StatusOK}, r.status)
}

// try connects by one transport.
func (b *bridge) try(sse, probe bool) (*upstream, error) {
	ctx, cancel := context.WithCancel(b.ctx)
	u := &upstream{carrier: &carrier{header: b.o.Header}, relisten: make(chan struct{}, 1), listening: map[any]jsonrpc.ID{}}
	hc := *b.o.Client
	u.carrier.next, hc.Transport = hc.Transport, u.carrier
	if u.carrier.next == nil {
		u.carrier.next = http.DefaultTransport
	}
	var t mcp.Transport = &mcp.StreamableClientTransport{Endpoint: b.o.Server, HTTPClient: &hc, MaxRetries: 3}
	if sse {
		t = &mcp.SSEClientTransport{Endpoint: b.o.Server, HTTPClient: &hc}
	}
	conn, err := t.Connect(ctx)
	if err != nil {
		cancel()
		return nil, &refused{u.carrier.last(), err}
	}
	u.peer = newPeer(conn, "stile-")
	u.peer.request, u.peer.notified = b.serverRequest, b.said(u)
	u.end = sync.OnceFunc(func() {
		_ = conn.Close()
		cancel()
	})
	b.work.Go(func() {
		_ = u.peer.run(ctx)
		u.end()
	})
	if probe {
		var done bool
		if done, err = b.probe(ctx, u); done || err != nil {
			if err != nil {
				u.end()
				return nil, err
			}
			b.work.Go(func() { b.listenAll(ctx, u) })
			return u, nil
		}
	}
	if err := b.initialize(ctx, u); err != nil {
		err = &refused{u.carrier.last(), err}
		u.end()
		return nil, err
	}
	u.greeting.SSE = sse
	if !sse {
		b.work.Go(func() { u.carrier.stream(ctx, b, u, &hc) })
	}
	if b.o.PingEvery > 0 {
		b.work.Go(func() { b.keepAlive(ctx, u) })
	}
	return u, nil
}

// probe asks a server whether it speaks the new era. A server that gives another answer
// does not; an error decides nothing.
func (b *bridge) probe(ctx context.Context, u *upstream) (bool, error) {
	u.greeting.Version = modern
	raw, err := u.peer.call(ctx, discover, withMeta(nil, u.meta(b)), nil)
	if err != nil {
		status := u.carrier.last()
		if b.login(err) != nil || ctx.Err() != nil || saidBy(err) == nil && (status == 0 || status >= 500 || status == http.StatusTooManyRequests || status == http.StatusUnauthorized || status == http.StatusForbidden) {
			return false, err
		}
		u.greeting = Greeting{}
		return false, nil
	}
	r := parse(raw)
	var versions []string
	_ = json.Unmarshal(r["supportedVersions"], &versions)
	if !slices.Contains(versions, modern) {
		u.greeting = Greeting{}
		return false, nil
	}
	u.greeting = Greeting{Version: modern, Capabilities: r["capabilities"], Server: parse(r["_meta"])[metaServer], Instructions: r.text("instructions"), At: time.Now()}
	return true, nil
}

// initialize begins a session.
func (b *bridge) initialize(ctx context.Context, u *upstream) error {
	b.mu.Lock()
	h := b.hello
	b.mu.Unlock()
	version := newest
	if session(h.version) {
		version = h.version
	}
	raw, err := u.peer.call(ctx, initialize, marshal(map[string]any{
		"protocolVersion": version, "capabilities": or(h.caps, `{}`), "clientInfo": or(h.client, `{"name":"stile bridge","version":"1"}`),
	}), nil)
	if err != nil {
		return err
	}
	r := parse(raw)
	version = r.text("protocolVersion")
	if !session(version) {
		return fmt.Errorf("the server answers initialize with protocol version %.40q, which the bridge does not know", version)
	}
	u.greeting = Greeting{Version: version, Capabilities: r["capabilities"], Server: r["serverInfo"], Instructions: r.text("instructions"), At: time.Now()}
	u.carrier.version.Store(&version)
	return u.peer.notify(ctx, initialized, nil)
}
