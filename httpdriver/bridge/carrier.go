package bridge

import (
	"bufio"
	"context"
	"mime"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// carrier carries the HTTP requests of one connection. It sets the headers that the
// SDK's transport only sets for its own client, and remembers the last status.
type carrier struct {
	next    http.RoundTripper
	header  http.Header
	version atomic.Pointer[string]
	status  atomic.Int32
}

func (c *carrier) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if v := c.version.Load(); v != nil && r.Header.Get("Mcp-Protocol-Version") == "" {
		r.Header.Set("Mcp-Protocol-Version", *v)
	}
	for name, values := range c.header {
		r.Header[name] = values
	}
	resp, err := c.next.RoundTrip(r)
	switch {
	case err != nil:
		c.status.Store(0)
	default:
		c.status.Store(int32(resp.StatusCode)) //nolint:gosec // three digits
	}
	return resp, err
}

// last is the status of the last answer; 0 when none came.
func (c *carrier) last() int { return int(c.status.Load()) }

// How long the bridge waits before it opens an ended stream again: at first, and at
// most. The wait doubles in between.
const (
	streamPause = time.Second
	streamMost  = 30 * time.Second
)

// stream listens to what a server with sessions says unasked, on a GET, for as long
// as the session lasts. A server that has no such stream is not asked again.
func (c *carrier) stream(ctx context.Context, b *bridge, u *upstream, hc *http.Client) {
	last, pause := "", streamPause
	for ctx.Err() == nil {
		began := time.Now()
		resp, err := c.open(ctx, b.o.Server, u.peer.conn.SessionID(), last, hc)
		switch {
		case err != nil:
		case resp.StatusCode == http.StatusNotFound && u.peer.conn.SessionID() != "":
			_ = resp.Body.Close()
			b.forget(u) // the server has forgotten the session
			return
		case resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests:
			_ = resp.Body.Close()
		case !isStream(resp):
			_ = resp.Body.Close()
			return
		default:
			last = c.read(ctx, u, resp, last)
		}
		if time.Since(began) > streamMost {
			pause = streamPause
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, streamMost)
	}
}

func (c *carrier) open(ctx context.Context, server, session, last string, hc *http.Client) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "text/event-stream")
	if session != "" {
		r.Header.Set("Mcp-Session-Id", session)
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	return hc.Do(r)
}

func isStream(resp *http.Response) bool {
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return err == nil && resp.StatusCode == http.StatusOK && media == "text/event-stream"
}

// read hands the messages of a stream to the peer. It gives the id of the last event.
func (c *carrier) read(ctx context.Context, u *upstream, resp *http.Response, last string) string {
	defer func() { _ = resp.Body.Close() }()
	var data strings.Builder
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			last = value
		case "data":
			if data.Len() > 0 {
				data.WriteByte('\n')
			}
			data.WriteString(value)
		case "": // the end of an event, or a comment
			if lines.Text() != "" || data.Len() == 0 {
				continue
			}
			if m, err := jsonrpc.DecodeMessage([]byte(data.String())); err == nil {
				u.peer.take(ctx, m)
			}
			data.Reset()
		}
	}
	return last
}

// keepAlive pings a session. One that does not answer is given up.
func (b *bridge) keepAlive(ctx context.Context, u *upstream) {
	for beat := time.NewTicker(b.o.PingEvery); ; {
		select {
		case <-ctx.Done():
			beat.Stop()
			return
		case <-beat.C:
		}
		one, cancel := context.WithTimeout(ctx, b.o.PingEvery)
		_, err := u.peer.call(one, ping, nil, nil)
		cancel()
		if err != nil && saidBy(err) == nil && ctx.Err() == nil {
			b.log.Warn("the server did not answer a ping; the next request connects anew", "err", err)
			b.forget(u)
			return
		}
	}
}
