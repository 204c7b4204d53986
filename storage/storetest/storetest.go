// Package storetest is the contract of storage.Store as a suite of tests. A
// backend keeps it if Run passes:
//
//	func TestContract(t *testing.T) {
//		storetest.Run(t, func(*testing.T) storage.Store { return storage.NewMemory() })
//	}
//
// # Guarantees
//
// The suite draws its own tenants, so the store need not be empty and may be
// shared by tests that run at once. Where time has to pass, it is time on the
// store's clock: either the test moves that clock (option Clock), or limits are
// short and the suite polls up to a bound.
//
// # Who should not use it
//
// A program that only uses a store: the backends of this module run the suite
// themselves.
package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// Opener opens the store under test; it registers its own cleanup with t.
type Opener func(t *testing.T) storage.Store

// Option tells the suite more about a backend.
type Option func(*suite)

// Clock gives the suite control of the clock of every opened store, so that
// nothing waits.
func Clock(now func() time.Time, advance func(time.Duration)) Option {
	return func(s *suite) { s.now, s.advance = now, advance }
}

// Pair opens two handles on the same data, as two processes would: what one
// writes, or leases, the other sees.
func Pair(f func(t *testing.T) (a, b storage.Store)) Option { return func(s *suite) { s.pair = f } }

// Broken opens a handle whose backend is out of order. The suite expects failures
// that cannot be taken for answers.
func Broken(f Opener) Option { return func(s *suite) { s.broken = f } }

// NoLister says that the store is no storage.Lister.
func NoLister() Option { return func(s *suite) { s.noLister = true } }

type suite struct {
	open     Opener
	now      func() time.Time
	advance  func(time.Duration)
	pair     func(t *testing.T) (a, b storage.Store)
	broken   Opener
	noLister bool
}

// Run runs the whole contract.
func Run(t *testing.T, open func(t *testing.T) storage.Store, opts ...Option) {
	s := &suite{open: open, now: time.Now}
	for _, o := range opts {
		o(s)
	}
	for _, c := range []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"Get", testGet},
		{"PutIsConditional", testPut},
		{"DeleteIsConditional", testDelete},
		{"GenerationsNeverRepeat", testGenerations},
		{"KeysDoNotCollide", testIsolation},
		{"Values", testValues},
		{"Expiry", testExpiry},
		{"ExpiryMoves", testExpiryMoves},
		{"GenerationsNeverRepeatAfterExpiry", testGenerationAfterExpiry},
		{"PendingLoginExpires", testPendingLogin},
		{"OneOfManyClaims", testClaim},
		{"OneOfManyPuts", testPutRace},
		{"Counter", testCounter},
		{"Lease", testLease},
		{"LeaseRunsOut", testLeaseRunsOut},
		{"LeaseEndsOnTime", testLeaseEnds},
		{"OneOfManyLeases", testLeaseRace},
		{"LeaseNeedsTime", testLeaseTTL},
		{"Cancellation", testCancelled},
		{"List", testList},
		{"Keys", testKeys},
		{"Entries", testEntries},
		{"LeaseAndGet", testLeaseAndGet},
		{"PutAndRelease", testPutAndRelease},
		{"Watch", testWatch},
		{"TwoHandles", testPair},
		{"BrokenIsNoAnswer", testBroken},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, s) })
	}
}

// key gives a key in a tenant that no other test uses.
func key(kind states.Kind) states.Key {
	return states.Key{Kind: kind, Tenant: "tenant-" + rand.Text(), Subject: "alice", Account: "work", Name: "https://mcp.example/v1"}
}

var never time.Time

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: error %v, want %v", what, err, want)
	}
}

func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func put(t *testing.T, st storage.Store, k states.Key, value string, expected states.Generation, expires time.Time) states.Generation {
	t.Helper()
	g, err := st.Put(t.Context(), k, []byte(value), expected, expires)
	if err != nil {
		t.Fatalf("Put %q over generation %d: %v", k, expected, err)
	}
	if g == 0 {
		t.Fatalf("Put %q gave generation 0, which means none", k)
	}
	return g
}

func get(t *testing.T, st storage.Store, k states.Key) storage.Entry {
	t.Helper()
	e, err := st.Get(t.Context(), k)
	if err != nil {
		t.Fatalf("Get %q: %v", k, err)
	}
	return e
}

// bound is how long the suite waits for what time alone has to bring about.
const bound = 15 * time.Second

// pass lets d pass on the store's clock, then waits until done.
func (s *suite) pass(t *testing.T, d time.Duration, what string, done func() bool) {
	t.Helper()
	if s.advance != nil {
		s.advance(d)
		if !done() {
			t.Fatalf("%s: not after %v on the store's clock", what, d)
		}
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not within %v", what, bound)
		}
	}
}

// soon is how far ahead tests set what they wait for; late is far enough that
// no test, however slow, sees it come; apart is how far the clocks of the test
// and of a store on the same machine may differ.
const (
	soon  = 150 * time.Millisecond
	late  = time.Hour
	apart = 50 * time.Millisecond
)

// together runs f in n goroutines that start at once and gives their errors.
func together(n int, f func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// countOf counts who got no error; everybody else must have got one of want.
func countOf(t *testing.T, errs []error, want ...error) int {
	t.Helper()
	won := 0
next:
	for i, err := range errs {
		if err == nil {
			won++
			continue
		}
		for _, w := range want {
			if errors.Is(err, w) {
				continue next
			}
		}
		t.Errorf("caller %d: error %v, want none or one of %v", i, err, want)
	}
	return won
}
