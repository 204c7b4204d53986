package redisstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/redisstore"
	"github.com/stile-oauth/stile/storage/storetest/realservers"
)

// Redis holds a value of the wrong kind: each call that needs it fails under its own
// name, and none answers that the entry is missing, changed or held.
func TestOtherThingsInPlace(t *testing.T) {
	url := realservers.Redis(t)
	c := plain(t, url)
	s := open(t, url, redisstore.Prefix("other:"))
	g, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Lease(t.Context(), k, time.Minute); err != nil {
		t.Fatal(err)
	}
	names, err := c.Keys(t.Context(), "other:*").Result()
	if err != nil || len(names) != 4 {
		t.Fatalf("%v, %v", names, err)
	}
	for _, name := range names {
		if err := c.Set(t.Context(), name, "something", 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for operation, call := range map[string]func() error{
		"get":     func() error { _, err := s.Get(t.Context(), k); return err },
		"put":     func() error { _, err := s.Put(t.Context(), k, nil, g, time.Time{}); return err },
		"delete":  func() error { return s.Delete(t.Context(), k, g) },
		"lease":   func() error { _, err := s.Lease(t.Context(), k, time.Second); return err },
		"release": func() error { return s.Release(t.Context(), k, 1) },
		"list":    func() error { _, err := s.List(t.Context(), k.Tenant, k.Subject); return err },
		"list: ": func() error {
			return s.Entries(t.Context(), k.Tenant, k.Subject, func(states.Key, storage.Entry, error) error { return nil })
		},
		"keys": func() error { return s.Keys(t.Context(), func(states.Key) error { return nil }) },
	} {
		if err := call(); storage.IsAnswer(err) || !strings.HasPrefix(err.Error(), "redisstore: "+operation) || !strings.Contains(err.Error(), "WRONGTYPE") {
			t.Errorf("%s: %v", operation, err)
		}
	}
}

// An altered hash is an entry that cannot be read. A list that names something that is
// not a key fails: it may be anybody's.
func TestAltered(t *testing.T) {
	url := realservers.Redis(t)
	c := plain(t, url)
	s := open(t, url, redisstore.Prefix("altered:"))
	g, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	names, err := c.Keys(t.Context(), "altered:*entry:*").Result()
	if err != nil || len(names) != 1 {
		t.Fatalf("%v, %v", names, err)
	}
	whole, err := c.HGetAll(t.Context(), names[0]).Result()
	if err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]states.Generation{"generation": 0, "expires": g, "key": g} {
		if err := c.HSet(t.Context(), names[0], field, "x").Err(); err != nil {
			t.Fatal(err)
		}
		var unreadable *storage.UnreadableError
		if e, err := s.Get(t.Context(), k); !errors.As(err, &unreadable) || unreadable.Generation != want || unreadable.Where != names[0] {
			t.Errorf("%s: %+v, %v", field, e, err)
		}
		if err := c.HSet(t.Context(), names[0], whole).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if e, err := s.Get(t.Context(), k); err != nil || string(e.Value) != "v" {
		t.Errorf("as it was: %q, %v", e.Value, err)
	}
	indexes, err := c.Keys(t.Context(), "altered:*index").Result()
	if err != nil || len(indexes) != 1 {
		t.Fatalf("%v, %v", indexes, err)
	}
	if err := c.ZAdd(t.Context(), indexes[0], goredis.Z{Score: 1e15, Member: "x"}).Err(); err != nil {
		t.Fatal(err)
	}
	_, list := s.List(t.Context(), k.Tenant, k.Subject)
	for _, err := range []error{
		list, s.Keys(t.Context(), func(states.Key) error { return nil }),
		s.Entries(t.Context(), k.Tenant, k.Subject, func(states.Key, storage.Entry, error) error { return nil }),
	} {
		if err == nil || !strings.Contains(err.Error(), "not an encoded key") {
			t.Errorf("%v", err)
		}
	}
}

// A prefix is a name and not a pattern, and cannot move the hash tag. Every owner is
// found, even when there are more than one look returns.
func TestPrefixIsNoPattern(t *testing.T) {
	url := realservers.Redis(t)
	for _, bad := range []string{"a{", "a}", "{a}"} {
		if s, err := redisstore.Open(t.Context(), url, redisstore.Prefix(bad)); err == nil {
			_ = s.Close()
			t.Errorf("the prefix %q is taken", bad)
		}
	}
	other := open(t, url, redisstore.Prefix("pa:"))
	if _, err := other.Put(t.Context(), k, []byte("v"), 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"p*:", "p?:", "p[a]:", "p[^b]:", `p\a:`} {
		s := open(t, url, redisstore.Prefix(prefix))
		if _, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{}); err != nil {
			t.Fatal(err)
		}
		found := 0
		if err := s.Keys(t.Context(), func(states.Key) error { found++; return nil }); err != nil || found != 1 {
			t.Errorf("%s: %d keys, %v", prefix, found, err)
		}
	}
	c := plain(t, url)
	_, err := c.Pipelined(t.Context(), func(p goredis.Pipeliner) error {
		for range 3000 {
			p.Set(t.Context(), "filler:"+time.Now().String(), "", time.Minute)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	if err := other.Keys(t.Context(), func(states.Key) error { found++; return nil }); err != nil || found != 1 {
		t.Errorf("among many: %d keys, %v", found, err)
	}
}

// As many calls wait for a connection as the pool has.
func TestQueueFollowsThePool(t *testing.T) {
	url := realservers.Redis(t)
	for text, want := range map[string]int{"?pool_size=3": 3, "?pool_size=1": 1} {
		s := open(t, url+text)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		got := 0
		for range want + 1 {
			if _, err := s.Queue(ctx, false); err == nil {
				got++
			}
		}
		cancel()
		if got != want {
			t.Errorf("%s: %d at once", text, got)
		}
	}
}

// Owners with more entries than one round trip asks for.
func TestManyEntries(t *testing.T) {
	s := open(t, realservers.Redis(t), redisstore.Prefix("many:"))
	const n = 300
	for i := range n {
		own := k
		own.Account = strings.Repeat("a", i)
		if _, err := s.Put(t.Context(), own, []byte(own.Account), 0, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	got := 0
	err := s.Entries(t.Context(), k.Tenant, k.Subject, func(k states.Key, e storage.Entry, err error) error {
		if got++; err != nil || string(e.Value) != k.Account {
			t.Errorf("%q: %q, %v", k, e.Value, err)
		}
		return err
	})
	if err != nil || got != n {
		t.Errorf("%d entries, %v", got, err)
	}
}
