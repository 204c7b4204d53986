package trap

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/states/wire"
)

// visitor is the user's browser: it opens what it is told, follows redirects
// between the issuer and the client, and consents to everything.
type visitor struct {
	stage *stage
	ctx   context.Context
	ended <-chan struct{} // the client has ended
	wait  sync.WaitGroup
	mu    sync.Mutex
	seen  map[string]bool
	list  []string
}

// watch reads the addresses that the shims note.
func (v *visitor) watch(name string) {
	var at int64
	for {
		last := false
		select {
		case <-v.ended:
			last = true
		case <-time.After(20 * time.Millisecond):
		}
		if f, err := os.Open(name); err == nil {
			_, _ = f.Seek(at, io.SeekStart)
			r := bufio.NewReader(f)
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					break
				}
				at += int64(len(line))
				v.visit(strings.TrimSuffix(line, "\n"), true)
			}
			_ = f.Close()
		}
		if last {
			return
		}
	}
}

// sentTo notes that the client asks its user to open an address that is not one of the
// stage's.
func (v *visitor) sentTo(u string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if u = wire.Clean(u, 300); !v.stage.ours(u) && !slices.Contains(v.list, u) {
		v.list = append(v.list, u)
	}
}

// login names the login that an address is for. A client may open an address and also
// print it in another spelling, and a user follows only one of them.
func login(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	q := u.Query()
	if key := q.Get("state") + " " + q.Get("code_challenge"); key != " " {
		return key
	}
	return raw
}

// visit opens an address, but only once.
func (v *visitor) visit(u string, opened bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if opened && !v.stage.ours(u) {
		v.list = append(v.list, wire.Clean(u, 300))
	}
	if v.seen[login(u)] || !v.stage.ours(u) {
		return
	}
	v.seen[login(u)] = true
	if v.stage.trap.Nobody {
		v.stage.end(v.stage.add(audit.Exchange{At: time.Since(v.stage.began), Request: wire.Request{Method: http.MethodGet, URL: u}}), nil, audit.NobodyCame)
		return
	}
	v.wait.Add(1)
	go func() { defer v.wait.Done(); v.follow(u) }()
}

func (v *visitor) opened() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.list)
}

// follow goes where a browser would go, but only on loopback.
func (v *visitor) follow(u string) {
	for range 6 {
		if !isLoopback(u) {
			return
		}
		req, err := http.NewRequestWithContext(v.ctx, http.MethodGet, u, nil)
		if err != nil {
			return
		}
		req.Header.Set("User-Agent", audit.Browser)
		req.Header.Set("Accept", "text/html")
		at := -1
		if !v.stage.ours(u) && v.stage.first(u) {
			v.forge(u)
		}
		if !v.stage.ours(u) { // the client's own listener: nobody else records it
			at = v.stage.add(audit.Exchange{Leg: audit.LegCallback, At: time.Since(v.stage.began), Issuer: v.stage.issuer,
				Request: wire.Request{Method: http.MethodGet, URL: u}})
		}
		resp, err := v.get(req)
		if err != nil {
			return
		}
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxKept))
		_ = resp.Body.Close()
		if at >= 0 {
			v.stage.answer(at, &wire.Response{Status: resp.StatusCode, Header: fields(resp.Header), Body: body})
			v.again(u)
		}
		next, err := resp.Location()
		if err != nil {
			return
		}
		if u = next.String(); next.Scheme != "http" && next.Scheme != "https" {
			return
		}
	}
}

// get sends a request. A client's own listener may start only after the address was
// printed, so get tries for as long as the client runs. It does not probe with an empty
// connection, because that would use up a listener that accepts only one.
func (v *visitor) get(req *http.Request) (*http.Response, error) {
	for {
		resp, err := v.stage.client.Do(req)
		if err == nil || !errors.Is(err, syscall.ECONNREFUSED) {
			return resp, err
		}
		select {
		case <-v.ctx.Done():
			return nil, err
		case <-v.ended:
			return nil, err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// again goes to the client's redirect URI a second time, if the trap says so.
func (v *visitor) again(callback string) {
	u, err := url.Parse(callback)
	if err != nil || !v.stage.trap.Repeats || !u.Query().Has("code") {
		return
	}
	q := u.Query()
	q.Set("code", audit.InjectedCode)
	u.RawQuery = q.Encode()
	v.probe("again", u.String(), "")
}

// isLoopback reports whether an address is one that the stage may visit.
func isLoopback(raw string) bool { return wire.IsLoopbackHTTP(raw) }

// ours reports whether an address is the authorization endpoint of the stage, or imitates
// it.
func (s *stage) ours(raw string) bool {
	return strings.HasPrefix(raw, s.issuer+"/") || strings.HasPrefix(raw, s.other+"/")
}
