package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/redisstore"
	"github.com/stile-oauth/stile/storage/storetest/realservers"
)

// What no script of ours answers is an error, and neither a panic nor an answer.
func TestStrangeAnswers(t *testing.T) {
	var answer string
	s := open(t, "redis://"+fake(t, func(command string, _ []string) (string, bool) {
		return answer, command == "EVALSHA"
	}))
	for _, answer = range []string{
		array(), array(text("x")), array(text("1"), text("generation")), array(text("held"), text("x")),
		array(text("1"), text("generation"), text("1"), text("expires")), text("x"), array(text("-1")), text("-1"),
	} {
		if l, err := s.LeaseAndGet(t.Context(), k, time.Minute); storage.IsAnswer(err) {
			t.Errorf("LeaseAndGet after %q: %+v, %v", answer, l, err)
		}
		if err := s.Delete(t.Context(), k, 1); storage.IsAnswer(err) {
			t.Errorf("Delete after %q: %v", answer, err)
		}
		if g, err := s.Put(t.Context(), k, nil, 1, time.Time{}); storage.IsAnswer(err) {
			t.Errorf("Put after %q: %d, %v", answer, g, err)
		}
	}
}

// A walk over all keys gives each key once, also when the server names an index twice;
// an error of the caller ends it, and a second one of the server does.
func TestWalk(t *testing.T) {
	encoded := func(t *testing.T) string { // as the store itself writes it
		url := realservers.Redis(t)
		s := open(t, url, redisstore.Prefix("walk:"))
		_, _ = s.Put(t.Context(), k, []byte("v"), 0, time.Time{})
		c := plain(t, url)
		names, err := c.Keys(t.Context(), "walk:*entry:*").Result()
		if err != nil || len(names) != 1 {
			t.Fatalf("%v, %v", names, err)
		}
		key, err := c.HGet(t.Context(), names[0], "key").Result()
		if err != nil {
			t.Fatal(err)
		}
		return key
	}(t)
	s := open(t, "redis://"+fake(t, func(command string, args []string) (string, bool) {
		switch {
		case command == "EVALSHA":
			return array(text(encoded), text(encoded)), true
		case command == "SCAN" && args[0] == "0":
			return array(text("1"), array(text("stile:{a}:index"))), true
		case command == "SCAN" && args[0] == "1":
			return array(text("2"), array(text("stile:{a}:index"))), true
		case command == "SCAN" && args[0] == "2":
			return array(text("3"), array()), true
		}
		return "", false
	}))
	calls := 0
	err := s.Keys(t.Context(), func(key states.Key) error {
		if calls++; key != k {
			t.Errorf("%v", key)
		}
		return nil
	})
	if err == nil || !strings.HasPrefix(err.Error(), "redisstore: keys: ") || calls != 2 {
		t.Errorf("%d calls, %v", calls, err)
	}
	calls, enough := 0, errors.New("enough")
	err = s.Keys(t.Context(), func(states.Key) error { calls++; return enough })
	if !errors.Is(err, enough) || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

// nodes are servers that say of each other that they are a cluster.
func nodes(t *testing.T, n int, answer func(node int, command string) (string, bool)) (url string) {
	t.Helper()
	var addresses []string
	slots := make(chan string, 1)
	for i := range n {
		addresses = append(addresses, fake(t, func(command string, args []string) (string, bool) {
			if command == "CLUSTER" && strings.EqualFold(args[0], "slots") {
				all := <-slots
				slots <- all
				return all, true
			}
			return answer(i, command)
		}))
	}
	var ranges []string
	for i, a := range addresses {
		host, port, _ := strings.Cut(a, ":")
		ranges = append(ranges, array(fmt.Sprintf(":%d\r\n", i*16384/n), fmt.Sprintf(":%d\r\n", (i+1)*16384/n-1),
			array(text(host), ":"+port+"\r\n", text(fmt.Sprint("node-", i)))))
	}
	slots <- array(ranges...)
	return "redis+cluster://" + addresses[0]
}

// On a cluster, a walk goes to each node.
func TestWalkOverACluster(t *testing.T) {
	var walked [3]atomic.Int32
	s := open(t, nodes(t, 3, func(node int, command string) (string, bool) {
		if command == "SCAN" {
			walked[node].Add(1)
			return array(text("0"), array()), true
		}
		return "", false
	}))
	if err := s.Keys(t.Context(), func(states.Key) error { return nil }); err != nil {
		t.Error(err)
	}
	for i := range walked {
		if n := walked[i].Load(); n != 1 {
			t.Errorf("node %d was walked %d times", i, n)
		}
	}
}

// The one connection that a call holds comes free at the end of its context, though
// the server never answers. A limit that the address sets for the wait is kept.
func TestConnectionComesFree(t *testing.T) {
	for name, url := range map[string]func(t *testing.T, answer func(command string) (string, bool)) string{
		"one server": func(t *testing.T, answer func(string) (string, bool)) string {
			return "redis://" + fake(t, func(command string, _ []string) (string, bool) { return answer(command) })
		},
		"a cluster": func(t *testing.T, answer func(string) (string, bool)) string {
			return nodes(t, 1, func(_ int, command string) (string, bool) { return answer(command) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			arrived := make(chan struct{}, 100)
			address := url(t, func(command string) (string, bool) {
				if command != "EVALSHA" {
					return "", false
				}
				if asked.Add(1) == 1 {
					arrived <- struct{}{}
					return "", true
				}
				return text("done"), true
			}) + "?pool_size=1&read_timeout=1h&max_retries=-1"

			s := open(t, address)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if err := s.Delete(ctx, k, 1); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Delete: %v", err)
			}
			if err := s.Delete(t.Context(), k, 1); err != nil {
				t.Errorf("Delete after it: %v", err)
			}

			asked.Store(0)
			<-arrived
			s = open(t, address+"&pool_timeout=1ms")
			ctx, cancel = context.WithCancel(t.Context())
			first := make(chan error)
			go func() { first <- s.Delete(ctx, k, 1) }()
			<-arrived
			if err := s.Delete(t.Context(), k, 1); storage.IsAnswer(err) {
				t.Errorf("Delete while the connection is taken: %v", err)
			}
			cancel()
			if err := <-first; !errors.Is(err, context.Canceled) {
				t.Errorf("Delete that waits: %v", err)
			}
		})
	}
}

// late is a context whose own timer comes after that of the client: its deadline has
// passed, and it ends when end is called.
type late struct {
	context.Context
	deadline time.Time
}

func (l late) Deadline() (time.Time, bool) { return l.deadline, true }

// timesOut is a client's own time limit.
type timesOut struct {
	goredis.Hook
	then func()
}

func (h timesOut) DialHook(next goredis.DialHook) goredis.DialHook { return next }

func (h timesOut) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}

func (h timesOut) ProcessHook(goredis.ProcessHook) goredis.ProcessHook {
	return func(context.Context, goredis.Cmder) error {
		h.then()
		return os.ErrDeadlineExceeded
	}
}

// The end of a context is called by its name, also if the client notices it first.
func TestDeadlineIsNamed(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	c := goredis.NewClient(&goredis.Options{})
	c.AddHook(timesOut{then: func() { time.AfterFunc(20*time.Millisecond, end) }})
	s, err := redisstore.New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Delete(late{ctx, time.Now()}, k, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// An entry that is of another kind makes the whole list fail; it is not missing.
func TestOneEntryIsSomethingElse(t *testing.T) {
	url := realservers.Redis(t)
	c := plain(t, url)
	s := open(t, url, redisstore.Prefix("one:"))
	if _, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	names, err := c.Keys(t.Context(), "one:*entry:*").Result()
	if err != nil || len(names) != 1 {
		t.Fatalf("%v, %v", names, err)
	}
	if err := c.Set(t.Context(), names[0], "something", 0).Err(); err != nil {
		t.Fatal(err)
	}
	err = s.Entries(t.Context(), k.Tenant, k.Subject, func(_ states.Key, e storage.Entry, err error) error {
		t.Errorf("an entry: %+v, %v", e, err)
		return nil
	})
	if storage.IsAnswer(err) || !strings.HasPrefix(err.Error(), "redisstore: entries: ") {
		t.Errorf("Entries: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Keys(t.Context(), func(states.Key) error { return nil }); storage.IsAnswer(err) {
		t.Errorf("Keys of a store that is closed: %v", err)
	}
}

// What an older version wrote is found under the same names, and time limits are counted
// in whole milliseconds, rounded up.
func TestNamesAndLimits(t *testing.T) {
	url := realservers.Redis(t)
	c := plain(t, url)
	s := open(t, url, redisstore.Prefix("kept:"))
	g, err := s.Put(t.Context(), k, []byte("v"), 0, time.Unix(-1, 0))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), k); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("an entry that expired before 1970, generation %d: %v", g, err)
	}
	for ttl, want := range map[time.Duration]string{time.Hour: "3600000", time.Hour + 1: "3600001", time.Hour + time.Millisecond: "3600001"} {
		l, err := s.Lease(t.Context(), k, ttl)
		if err != nil {
			t.Fatal(err)
		}
		const name = "kept:{776c408f9dc02794d17a49f11bfaa5e3}:lease:791596a40040ea6e0afc7e20ad4c17522521d6fbb8ddc35b6aaa075156ae403b"
		if got, err := c.HGet(t.Context(), name, "ttl").Result(); err != nil || got != want {
			t.Errorf("a lease for %v has %q milliseconds, want %q, %v", ttl, got, want, err)
		}
		if err := s.Release(t.Context(), k, l.Fence); err != nil {
			t.Fatal(err)
		}
	}
}
