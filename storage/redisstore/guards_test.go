package redisstore_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/redisstore"
	"github.com/stile-oauth/stile/storage/storetest/realservers"
)

// plain is a client that sees what the store keeps.
func plain(t *testing.T, url string) *goredis.Client {
	t.Helper()
	o, err := goredis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	c := goredis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// The index of an owner expires with the last entry that it lists: an abandoned login
// leaves nothing for ever, even beside deleted entries.
func TestIndexExpires(t *testing.T) {
	url := realservers.Redis(t)
	s := open(t, url, redisstore.Prefix("abandoned:"))
	c := plain(t, url)
	limits := func(want time.Duration) {
		t.Helper()
		indexes, err := c.Keys(t.Context(), "abandoned:*index").Result()
		if err != nil || len(indexes) != 1 {
			t.Fatalf("%v, %v", indexes, err)
		}
		got, err := c.TTL(t.Context(), indexes[0]).Result()
		if err != nil || want > 0 && (got > want || got < want-time.Minute) || want < 0 && got >= 0 {
			t.Errorf("the index has %v to live, want %v, %v", got, want, err)
		}
	}
	login, credential := k, k
	login.Kind = states.KindLogin
	if _, err := s.Put(t.Context(), login, []byte("v"), 0, time.Now().Add(10*time.Minute)); err != nil {
		t.Fatal(err)
	}
	limits(10 * time.Minute)
	g, err := s.Put(t.Context(), credential, []byte("v"), 0, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	limits(-1) // as long as the credential is there
	if keys, err := s.List(t.Context(), k.Tenant, k.Subject); err != nil || len(keys) != 2 {
		t.Errorf("List = %v, %v", keys, err)
	}
	if err := s.Delete(t.Context(), credential, g); err != nil {
		t.Fatal(err)
	}
	limits(10 * time.Minute)
}

// A row of another key in place of an entry is not taken for that entry.
func TestForeignRow(t *testing.T) {
	url := realservers.Redis(t)
	s := open(t, url, redisstore.Prefix("foreign:"))
	other := k
	other.Account = "other"
	if _, err := s.Put(t.Context(), other, []byte("theirs"), 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	c := plain(t, url)
	theirs, err := c.Keys(t.Context(), "foreign:*entry:*").Result()
	if err != nil || len(theirs) != 1 {
		t.Fatalf("%v, %v", theirs, err)
	}
	g, err := s.Put(t.Context(), k, []byte("mine"), 0, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	all, err := c.Keys(t.Context(), "foreign:*entry:*").Result()
	if err != nil || len(all) != 2 {
		t.Fatalf("%v, %v", all, err)
	}
	mine := all[0]
	if mine == theirs[0] {
		mine = all[1]
	}
	if err := c.Copy(t.Context(), theirs[0], mine, 0, true).Err(); err != nil {
		t.Fatal(err)
	}
	var unreadable *storage.UnreadableError
	if e, err := s.Get(t.Context(), k); !errors.As(err, &unreadable) || unreadable.Key != k {
		t.Errorf("Get of another's row: %q, %v", e.Value, err)
	}
	if l, err := s.LeaseAndGet(t.Context(), k, time.Minute); err != nil || !errors.As(l.EntryErr, &unreadable) {
		t.Errorf("LeaseAndGet of another's row: %+v, %v", l, err)
	}
	if _, err := s.Put(t.Context(), k, []byte("x"), g, time.Time{}); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("Put over it by the lost generation: %v", err)
	}
}

// Numbers go on from the highest, even after the server's clock was put back, and
// the record of the highest is forgotten after a while.
func TestNumberFloor(t *testing.T) {
	url := realservers.Redis(t)
	s := open(t, url, redisstore.Prefix("floor:"))
	g, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if now := time.Now().UnixMicro(); int64(g) < now-int64(time.Minute/time.Microsecond) || int64(g) > now+int64(time.Minute/time.Microsecond) {
		t.Errorf("generation %d is not near the clock, %d", g, now)
	}
	c := plain(t, url)
	numbers, err := c.Keys(t.Context(), "floor:*number").Result()
	if err != nil || len(numbers) != 1 {
		t.Fatalf("%v, %v", numbers, err)
	}
	if ttl, err := c.TTL(t.Context(), numbers[0]).Result(); err != nil || ttl < 29*24*time.Hour || ttl > 30*24*time.Hour {
		t.Errorf("the last number is kept for %v, %v", ttl, err)
	}
	// As after a clock that was put back by a day.
	ahead := uint64(g) + uint64(24*time.Hour/time.Microsecond)
	if err := c.Set(t.Context(), numbers[0], ahead, time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	if g, err = s.Put(t.Context(), k, []byte("w"), g, time.Time{}); err != nil || uint64(g) != ahead+1 {
		t.Errorf("generation %d after %d, %v", g, ahead, err)
	}
	if l, err := s.Lease(t.Context(), k, time.Minute); err != nil || l.Fence != ahead+2 {
		t.Errorf("fence %d after %d, %v", l.Fence, ahead+1, err)
	}
}

// A lease that the server gave before its clock was put back runs out nevertheless.
func TestLeaseAfterTheClockWasPutBack(t *testing.T) {
	url := realservers.Redis(t)
	s := open(t, url, redisstore.Prefix("back:"))
	if _, err := s.Lease(t.Context(), k, time.Minute); err != nil {
		t.Fatal(err)
	}
	c := plain(t, url)
	leases, err := c.Keys(t.Context(), "back:*lease:*").Result()
	if err != nil || len(leases) != 1 {
		t.Fatalf("%v, %v", leases, err)
	}
	if err := c.Expire(t.Context(), leases[0], 365*24*time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Lease(t.Context(), k, time.Hour); !errors.Is(err, storage.ErrHeld) {
		t.Fatalf("Lease: %v", err)
	}
	if left, err := c.TTL(t.Context(), leases[0]).Result(); err != nil || left > time.Minute {
		t.Errorf("the lease has %v to run, %v", left, err)
	}
}

// A burst over few connections delays calls and makes none of them fail.
func TestBurst(t *testing.T) {
	s := open(t, realservers.Redis(t)+"?pool_size=2", redisstore.Prefix("burst:"))
	var wg sync.WaitGroup
	for i := range 2000 {
		wg.Go(func() {
			done, err := s.Queue(t.Context(), false)
			if err != nil {
				t.Error(err)
				return
			}
			defer done()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			own := k
			own.Account = strconv.Itoa(i)
			if _, err := s.Put(ctx, own, []byte("v"), 0, time.Time{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

const deadEnv = "STILE_TEST_DEAD_REDIS"

// TestDeadServer is a process that cannot open its store; TestQuiet runs it.
func TestDeadServer(t *testing.T) {
	url := os.Getenv(deadEnv)
	if url == "" {
		t.Log("runs only inside the process that TestQuiet begins")
		return
	}
	if _, err := redisstore.Open(t.Context(), url); err == nil {
		t.Error("a server that does not answer is opened")
	}
}

// The package writes nothing to standard error, whatever happens to the server.
func TestQuiet(t *testing.T) {
	_, dead := silent(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestDeadServer$")
	cmd.Env = append(os.Environ(), deadEnv+"=redis://"+dead)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil || said.Len() > 0 {
		t.Errorf("%v; written to standard error: %s", err, &said)
	}
}
