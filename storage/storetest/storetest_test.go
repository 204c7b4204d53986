package storetest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/storetest"
)

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// wrong is a store in memory with one fault.
type wrong struct {
	*storage.Memory
	key     func(states.Key) states.Key
	put     func(w *wrong, ctx context.Context, k states.Key, v []byte, g states.Generation, at time.Time) (states.Generation, error)
	get     func(w *wrong, ctx context.Context, k states.Key) (storage.Entry, error)
	remove  func(w *wrong, ctx context.Context, k states.Key, g states.Generation) error
	lease   func(w *wrong, ctx context.Context, k states.Key, ttl time.Duration) (storage.Lease, error)
	release func(w *wrong, ctx context.Context, k states.Key, fence uint64) error
	list    func(w *wrong, ctx context.Context, tenant, subject string) ([]states.Key, error)

	mu   *sync.Mutex
	held map[states.Key]uint64
}

func (w *wrong) name(k states.Key) states.Key {
	if w.key != nil {
		return w.key(k)
	}
	return k
}

func (w *wrong) Get(ctx context.Context, k states.Key) (storage.Entry, error) {
	if w.get != nil {
		return w.get(w, ctx, k)
	}
	return w.Memory.Get(ctx, w.name(k))
}

func (w *wrong) Put(ctx context.Context, k states.Key, v []byte, g states.Generation, at time.Time) (states.Generation, error) {
	if w.put != nil {
		return w.put(w, ctx, k, v, g, at)
	}
	return w.Memory.Put(ctx, w.name(k), v, g, at)
}

func (w *wrong) Delete(ctx context.Context, k states.Key, g states.Generation) error {
	if w.remove != nil {
		return w.remove(w, ctx, k, g)
	}
	return w.Memory.Delete(ctx, w.name(k), g)
}

func (w *wrong) Lease(ctx context.Context, k states.Key, ttl time.Duration) (storage.Lease, error) {
	if w.lease != nil {
		return w.lease(w, ctx, k, ttl)
	}
	l, err := w.Memory.Lease(ctx, w.name(k), ttl)
	if err == nil {
		w.mu.Lock()
		w.held[k] = l.Fence
		w.mu.Unlock()
	}
	return l, err
}

func (w *wrong) Release(ctx context.Context, k states.Key, fence uint64) error {
	if w.release != nil {
		return w.release(w, ctx, k, fence)
	}
	return w.Memory.Release(ctx, w.name(k), fence)
}

func (w *wrong) List(ctx context.Context, tenant, subject string) ([]states.Key, error) {
	if w.list != nil {
		return w.list(w, ctx, tenant, subject)
	}
	return w.Memory.List(ctx, tenant, subject)
}

// faults are stores that break the contract in one way, and a test of the suite
// that must notice.
var faults = []struct {
	name, noticed string
	fault         wrong
}{
	{"writes over anything", "PutIsConditional", wrong{put: func(w *wrong, ctx context.Context, k states.Key, v []byte, _ states.Generation, at time.Time) (states.Generation, error) {
		for {
			e, _ := w.Memory.Get(ctx, k)
			if g, err := w.Memory.Put(ctx, k, v, e.Generation, at); !errors.Is(err, storage.ErrConflict) {
				return g, err
			}
		}
	}}},
	{"replaces new entries", "PutIsConditional", wrong{put: func(w *wrong, ctx context.Context, k states.Key, v []byte, g states.Generation, at time.Time) (states.Generation, error) {
		if e, err := w.Memory.Get(ctx, k); err == nil && g == 0 {
			g = e.Generation
		}
		return w.Memory.Put(ctx, k, v, g, at)
	}}},
	{"deletes anything", "DeleteIsConditional", wrong{remove: func(w *wrong, ctx context.Context, k states.Key, _ states.Generation) error {
		e, err := w.Memory.Get(ctx, k)
		if err != nil {
			return err
		}
		return w.Memory.Delete(ctx, k, e.Generation)
	}}},
	{"lets two claim", "OneOfManyClaims", wrong{remove: func(w *wrong, ctx context.Context, k states.Key, g states.Generation) error {
		if err := w.Memory.Delete(ctx, k, g); err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		return nil
	}}},
	{"checks, then writes", "OneOfManyPuts", wrong{put: func(w *wrong, ctx context.Context, k states.Key, v []byte, g states.Generation, at time.Time) (states.Generation, error) {
		if e, _ := w.Memory.Get(ctx, k); e.Generation != g {
			return 0, storage.ErrConflict
		}
		time.Sleep(time.Millisecond) // the gap in which others write
		for {
			e, _ := w.Memory.Get(ctx, k)
			if g, err := w.Memory.Put(ctx, k, v, e.Generation, at); !errors.Is(err, storage.ErrConflict) {
				return g, err
			}
		}
	}}},
	{"numbers generations by their content", "GenerationsNeverRepeat", wrong{
		get: func(w *wrong, ctx context.Context, k states.Key) (storage.Entry, error) {
			e, err := w.Memory.Get(ctx, k)
			e.Generation = states.Generation(len(e.Value) + 1)
			return e, err
		},
		put: func(w *wrong, ctx context.Context, k states.Key, v []byte, g states.Generation, at time.Time) (states.Generation, error) {
			e, err := w.Memory.Get(ctx, k)
			if (err == nil) != (g != 0) {
				return 0, storage.ErrConflict
			}
			_, err = w.Memory.Put(ctx, k, v, e.Generation, at)
			return states.Generation(len(v) + 1), err
		},
		remove: func(w *wrong, ctx context.Context, k states.Key, _ states.Generation) error {
			e, err := w.Memory.Get(ctx, k)
			if err != nil {
				return err
			}
			return w.Memory.Delete(ctx, k, e.Generation)
		}}},
	{"joins the parts of a key", "KeysDoNotCollide", wrong{key: func(k states.Key) states.Key {
		return states.Key{Name: strings.Join([]string{string(k.Kind), k.Tenant, k.Subject, k.Account, k.Name}, "/")}
	}}},
	{"folds case", "KeysDoNotCollide", wrong{key: func(k states.Key) states.Key { k.Name = strings.ToLower(k.Name); return k }}},
	{"stops at NUL", "KeysDoNotCollide", wrong{key: func(k states.Key) states.Key { k.Name, _, _ = strings.Cut(k.Name, "\x00"); return k }}},
	{"cuts long names", "KeysDoNotCollide", wrong{key: func(k states.Key) states.Key { k.Name = k.Name[:min(len(k.Name), 2000)]; return k }}},
	{"forgets the subject", "KeysDoNotCollide", wrong{key: func(k states.Key) states.Key { k.Subject = ""; return k }}},
	{"forgets the kind", "KeysDoNotCollide", wrong{key: func(k states.Key) states.Key { k.Kind = ""; return k }}},
	{"cuts values", "Values", wrong{put: func(w *wrong, ctx context.Context, k states.Key, v []byte, g states.Generation, at time.Time) (states.Generation, error) {
		return w.Memory.Put(ctx, k, v[:min(len(v), 32<<10)], g, at)
	}}},
	{"keeps for ever", "PendingLoginExpires", wrong{put: func(w *wrong, ctx context.Context, k states.Key, v []byte, g states.Generation, _ time.Time) (states.Generation, error) {
		return w.Memory.Put(ctx, k, v, g, time.Time{})
	}}},
	{"keeps the first expiry", "ExpiryMoves", wrong{put: func(w *wrong, ctx context.Context, k states.Key, v []byte, g states.Generation, at time.Time) (states.Generation, error) {
		if e, err := w.Memory.Get(ctx, k); err == nil {
			at = e.Expires
		}
		return w.Memory.Put(ctx, k, v, g, at)
	}}},
	{"gives leases to all", "OneOfManyLeases", wrong{lease: func(w *wrong, ctx context.Context, k states.Key, ttl time.Duration) (storage.Lease, error) {
		l, err := w.Memory.Lease(ctx, k, ttl)
		if errors.Is(err, storage.ErrHeld) {
			return storage.Lease{Fence: 1 << 40, TTL: ttl}, nil
		}
		return l, err
	}}},
	{"never ends a lease", "LeaseRunsOut", wrong{lease: func(w *wrong, ctx context.Context, k states.Key, ttl time.Duration) (storage.Lease, error) {
		l, err := w.Memory.Lease(ctx, k, 10000*ttl)
		l.TTL = ttl
		return l, err
	}}},
	{"ends leases early", "LeaseRunsOut", wrong{lease: func(w *wrong, ctx context.Context, k states.Key, ttl time.Duration) (storage.Lease, error) {
		return w.Memory.Lease(ctx, k, min(ttl, time.Nanosecond))
	}}},
	{"has one fence for all", "Lease", wrong{lease: func(w *wrong, ctx context.Context, k states.Key, ttl time.Duration) (storage.Lease, error) {
		l, err := w.Memory.Lease(ctx, k, ttl)
		if err == nil {
			w.mu.Lock()
			w.held[k], l.Fence = l.Fence, 1
			w.mu.Unlock()
		}
		return l, err
	}, release: func(w *wrong, ctx context.Context, k states.Key, fence uint64) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if fence == 1 {
			fence = w.held[k]
		}
		return w.Memory.Release(ctx, k, fence)
	}}},
	{"lets anybody release", "Lease", wrong{release: func(w *wrong, ctx context.Context, k states.Key, _ uint64) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.Memory.Release(ctx, k, w.held[k])
	}}},
	{"never releases", "Lease", wrong{release: func(_ *wrong, ctx context.Context, _ states.Key, _ uint64) error { return ctx.Err() }}},
	{"ignores the context", "Cancellation", wrong{get: func(w *wrong, ctx context.Context, k states.Key) (storage.Entry, error) {
		return w.Memory.Get(context.WithoutCancel(ctx), k)
	}}},
	{"lists the whole tenant", "List", wrong{list: func(w *wrong, ctx context.Context, tenant, _ string) ([]states.Key, error) {
		var all []states.Key
		err := w.Memory.Keys(ctx, func(k states.Key) error {
			if k.Tenant == tenant {
				all = append(all, k)
			}
			return nil
		})
		return all, err
	}}},
	{"calls an outage an answer", "BrokenIsNoAnswer", wrong{}},
}

const faultEnv = "STILE_TEST_STORE_FAULT"

// TestFault is the suite on one of the faulty stores; TestSuiteNotices runs it
// in a process of its own, where it must fail.
func TestFault(t *testing.T) {
	for _, f := range faults {
		if f.name != os.Getenv(faultEnv) {
			continue
		}
		c := &clock{at: time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)}
		open := func(*testing.T) storage.Store {
			return &wrong{Memory: storage.NewMemory(storage.Clock(c.now)), key: f.fault.key, put: f.fault.put, get: f.fault.get,
				remove: f.fault.remove, lease: f.fault.lease, release: f.fault.release, list: f.fault.list, mu: &sync.Mutex{}, held: map[states.Key]uint64{}}
		}
		storetest.Run(t, open, storetest.Clock(c.now, c.advance), storetest.Broken(open))
		return
	}
}

// The suite notices each of the faults.
func TestSuiteNotices(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.v", "-test.run=^TestFault$/^"+f.noticed+"$")
			cmd.Env = append(os.Environ(), faultEnv+"="+f.name)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestFault/"+f.noticed) {
				t.Errorf("a store that %s passes %s: %v\n%s", f.name, f.noticed, err, out)
			}
		})
	}
}
