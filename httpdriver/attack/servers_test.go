package attack_test

import (
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/pgstore"
	"github.com/stile-oauth/stile/storage/redisstore"
	"github.com/stile-oauth/stile/storage/storetest/realservers"
)

func TestMain(m *testing.M) { os.Exit(realservers.Main(m)) }

// way is the network between a store and its server.
type way struct {
	addr  string
	dead  atomic.Bool  // connections are cut, and new ones closed at once
	pause atomic.Int64 // before each piece that goes through

	mu   sync.Mutex
	open map[net.Conn]bool
}

func newWay(t *testing.T, to string) *way {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &way{addr: ln.Addr().String(), open: map[net.Conn]bool{}}
	t.Cleanup(func() { _ = ln.Close(); w.cut() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go w.through(c, to)
		}
	}()
	return w
}

func (w *way) through(c net.Conn, to string) {
	defer func() { _ = c.Close() }()
	if w.dead.Load() {
		return
	}
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	w.mu.Lock()
	w.open[c], w.open[server] = true, true
	w.mu.Unlock()
	go w.copy(c, server)
	w.copy(server, c)
}

func (w *way) copy(to, from net.Conn) {
	b := make([]byte, 4096)
	for {
		n, err := from.Read(b)
		time.Sleep(time.Duration(w.pause.Load()))
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				break
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				_ = to.Close()
			}
			break
		}
	}
	_ = to.Close()
}

// cut ends every connection that is open.
func (w *way) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.open {
		_ = c.Close()
		delete(w.open, c)
	}
}

// TestServersThatDie: the server of a store is slow, is cut off in between, dies, and
// comes back. The token that is held serves meanwhile; a refresh waits for the
// store, is made once, and needs no login.
func TestServersThatDie(t *testing.T) {
	for _, kind := range []string{"Redis", "PostgreSQL"} {
		if kind == "PostgreSQL" && !long {
			continue // its server takes seconds to start
		}
		t.Run(kind, func(t *testing.T) {
			var address string
			if kind == "Redis" {
				address = realservers.Redis(t)
			} else {
				address = realservers.Postgres(t)
			}
			u, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			w := newWay(t, u.Host)
			u.Host = w.addr
			var store storage.Store
			if kind == "Redis" {
				r, e := redisstore.Open(t.Context(), u.String())
				store, err = r, e
				t.Cleanup(func() { _ = r.Close() })
			} else {
				p, e := pgstore.Open(t.Context(), u.String())
				store, err = p, e
				t.Cleanup(func() { _ = p.Close() })
			}
			if err != nil {
				t.Fatal(err)
			}
			var ahead atomic.Int64
			s := begin(t, func(o *httpdriver.Options) {
				o.Store = store
				o.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
			})
			t.Cleanup(func() { _ = s.driver.Close() })
			w.pause.Store(int64(20 * time.Millisecond)) // slow
			s.must(ping)
			w.pause.Store(0)
			w.cut() // and at once there again
			s.must(ping)
			w.dead.Store(true) // dead
			w.cut()
			s.must(ping)
			ahead.Store(int64(2 * time.Hour))
			cost := s.measure()
			err = s.post(ping)
			if f, ok := fsm.FaultOf(err); !ok || f.Party != states.PartyStore {
				t.Errorf("with a dead store: %v", err)
			}
			s.judge(want{ends: "fault", party: states.PartyStore, within: time.Minute}, err, cost.read())
			w.dead.Store(false) // started again
			for end := time.Now().Add(30 * time.Second); s.post(ping) != nil; time.Sleep(100 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("it does not go on when the store is back")
				}
			}
			refreshes, codes := 0, 0
			for _, r := range s.net.requests() {
				if r.refresh {
					refreshes++
				}
				if r.form.Get("grant_type") == "authorization_code" {
					codes++
				}
			}
			if refreshes != 1 || codes != 1 {
				t.Errorf("%d refreshes and %d logins", refreshes, codes)
			}
		})
	}
}
