package redisstore_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/redisstore"
	"github.com/stile-oauth/stile/storage/storetest"
	"github.com/stile-oauth/stile/storage/storetest/realservers"
)

func TestMain(m *testing.M) { os.Exit(realservers.Main(m)) }

func open(t *testing.T, url string, opts ...redisstore.Option) *redisstore.Store {
	t.Helper()
	s, err := redisstore.Open(t.Context(), url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// silent gives the address of a server that accepts and never answers, and an
// address where nobody listens.
func silent(t *testing.T) (mute, dead string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	return l.Addr().String(), gone.Addr().String()
}

func TestContract(t *testing.T) {
	url := realservers.Redis(t)
	s := open(t, url)
	storetest.Run(t, func(t *testing.T) storage.Store { return s },
		storetest.Pair(func(t *testing.T) (storage.Store, storage.Store) { return s, open(t, url) }),
		storetest.Broken(func(t *testing.T) storage.Store {
			_, dead := silent(t)
			s, err := redisstore.New(goredis.NewClient(&goredis.Options{Addr: dead, MaxRetries: -1, DialerRetries: 1}))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return s
		}))
}

// On a cluster a script may touch keys of one slot only.
func TestContractOnACluster(t *testing.T) {
	url := realservers.RedisCluster(t)
	s := open(t, url)
	storetest.Run(t, func(t *testing.T) storage.Store { return s },
		storetest.Pair(func(t *testing.T) (storage.Store, storage.Store) { return s, open(t, url) }))
}

var k = states.Key{Kind: states.KindCredential, Tenant: "acme", Subject: "alice", Name: "https://mcp.example/"}

// Stores with different prefixes on one server know nothing of each other, even
// if a prefix looks like a pattern or like the start of the other.
func TestPrefix(t *testing.T) {
	url := realservers.Redis(t)
	prefixes := []string{"a:", "a:a:", "*:", "[a]:", `\:`, ""}
	for _, p := range prefixes {
		s := open(t, url, redisstore.Prefix(p))
		if _, err := s.Put(t.Context(), k, []byte(p), 0, time.Time{}); err != nil {
			t.Fatalf("prefix %q: %v", p, err)
		}
		if _, err := s.Lease(t.Context(), k, time.Minute); err != nil {
			t.Fatalf("prefix %q: %v", p, err)
		}
	}
	for _, p := range prefixes {
		s := open(t, url, redisstore.Prefix(p))
		if e, err := s.Get(t.Context(), k); err != nil || string(e.Value) != p {
			t.Errorf("prefix %q: %q, %v", p, e.Value, err)
		}
		n := 0
		if err := s.Keys(t.Context(), func(states.Key) error { n++; return nil }); err != nil || n != 1 {
			t.Errorf("prefix %q: %d keys, %v", p, n, err)
		}
	}
	if _, err := redisstore.Open(t.Context(), url, redisstore.Prefix("{x}")); err == nil {
		t.Error("a prefix with braces is taken")
	}
}

// What is deleted or expired leaves no entry behind, and what stays for a while
// has a time limit of its own.
func TestNothingStaysForEver(t *testing.T) {
	url := realservers.Redis(t)
	s := open(t, url, redisstore.Prefix("clean:"))
	for _, expires := range []time.Time{time.Now().Add(-time.Minute), time.Now().Add(time.Hour), {}} {
		g, err := s.Put(t.Context(), k, []byte("v"), 0, expires)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(t.Context(), k, g); err != nil && !errors.Is(err, storage.ErrNotFound) {
			t.Fatal(err)
		}
	}
	if _, err := s.Lease(t.Context(), k, time.Minute); err != nil {
		t.Fatal(err)
	}
	o, err := goredis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	c := goredis.NewClient(o)
	defer c.Close()
	left, err := c.Keys(t.Context(), "clean:*").Result()
	if err != nil || len(left) == 0 {
		t.Fatalf("%v, %v", left, err)
	}
	for _, key := range left {
		if ttl, err := c.TTL(t.Context(), key).Result(); err != nil || ttl <= 0 {
			t.Errorf("%s stays for ever (%v, %v)", key, ttl, err)
		}
	}
}

// lossy is a server between client and Redis that delivers the first script
// and loses its answer.
func lossy(t *testing.T, url string) (through string, lose func()) {
	t.Helper()
	o, err := goredis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	armed := make(chan struct{}, 1)
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", o.Addr)
			if err != nil {
				_ = client.Close()
				continue
			}
			var script bool // whether the last request was a script
			asked := make(chan bool, 1024)
			go func() {
				defer server.Close()
				b := make([]byte, 1<<20)
				for {
					n, err := client.Read(b)
					if err != nil {
						return
					}
					asked <- strings.Contains(strings.ToLower(string(b[:n])), "eval")
					if _, err := server.Write(b[:n]); err != nil {
						return
					}
				}
			}()
			go func() {
				defer client.Close()
				b := make([]byte, 1<<20)
				for {
					n, err := server.Read(b)
					if err != nil {
						return
					}
					for len(asked) > 0 {
						script = <-asked
					}
					if script && !strings.HasPrefix(string(b[:n]), "-NOSCRIPT") {
						select {
						case <-armed:
							return // the answer is lost, and the connection with it
						default:
						}
					}
					if _, err := client.Write(b[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	return strings.Replace(url, o.Addr, l.Addr().String(), 1), func() { armed <- struct{}{} }
}

// A lost answer is asked for again, and the second answer equals the first: the
// write is not taken for somebody else's.
func TestLostAnswer(t *testing.T) {
	through, lose := lossy(t, realservers.Redis(t))
	s := open(t, through, redisstore.Prefix("lossy:"))
	lose()
	g, err := s.Put(t.Context(), k, []byte("one"), 0, time.Time{})
	if err != nil {
		t.Fatalf("Put: %v", err)
	}
	lose()
	if g, err = s.Put(t.Context(), k, []byte("two"), g, time.Time{}); err != nil {
		t.Fatalf("Put: %v", err)
	}
	if e, err := s.Get(t.Context(), k); err != nil || string(e.Value) != "two" || e.Generation != g {
		t.Fatalf("Get = %q, %d, %v; want two, %d", e.Value, e.Generation, err, g)
	}
	lose()
	if err := s.Delete(t.Context(), k, g); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	if err := s.Delete(t.Context(), k, g); !errors.Is(err, storage.ErrNotFound) {
		t.Fatalf("second Delete: %v", err)
	}
	lose()
	l, err := s.Lease(t.Context(), k, time.Minute)
	if err != nil {
		t.Fatalf("Lease: %v", err)
	}
	if _, err := s.Lease(t.Context(), k, time.Minute); !errors.Is(err, storage.ErrHeld) {
		t.Fatalf("second Lease: %v", err)
	}
	lose()
	if err := s.Release(t.Context(), k, l.Fence); err != nil {
		t.Fatalf("Release: %v", err)
	}
	if _, err := s.Lease(t.Context(), k, time.Minute); err != nil {
		t.Fatalf("Lease after Release: %v", err)
	}
}

// A server that does not answer keeps nobody waiting past their context.
func TestMuteServer(t *testing.T) {
	mute, _ := silent(t)
	s, err := redisstore.New(goredis.NewClient(&goredis.Options{Addr: mute, ReadTimeout: time.Hour, DialTimeout: time.Hour}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := s.Get(ctx, k); !errors.Is(err, context.Canceled) {
		t.Errorf("Get: %v", err)
	}
}

func TestNoPasswordInErrors(t *testing.T) {
	_, dead := silent(t)
	for _, url := range []string{"redis://:hunter2@" + dead, "redis://:hunter2@127.0.0.1:port", "hunter2", "redis+cluster://:hunter2@127.0.0.1:%zz"} {
		if _, err := redisstore.Open(t.Context(), url); storage.IsAnswer(err) || !strings.HasPrefix(err.Error(), "redisstore: ") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Open: %v", err)
		}
	}
}
