//go:build unix

package soak_test

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"time"
)

// kills counts the processes that were killed in the middle of their work, and the results.
type kills struct{ n, refreshes, harmless, lost, logins int }

// kill lets a process refresh without end and kills it after a while. Then the credential
// must be readable, and a login may be needed only if the server has given out a refresh
// token that nobody stored.
func (w *world) kill(t *testing.T, k *kills, after time.Duration) {
	t.Helper()
	store := w.where.must(t)
	w.expire()
	set := w.setting()
	set.Lease = briefLease
	before := w.counts()
	p := spawn(t, set)
	p.write(t, order{Ahead: time.Duration(w.ahead.Load()), Churn: true})
	for w.counts() == before { // its first refresh
		time.Sleep(time.Millisecond)
	}
	time.Sleep(after)
	p.kill()
	w.quiet(t)
	w.aftermath(t, k, before, store)
}

// TestKilled: killing a process at any moment costs a login only if the server had
// answered and the answer was not stored (refresh-ambiguous-once).
func TestKilled(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"file", "sqlite"} {
		t.Run(kind, func(t *testing.T) { killAtRandom(t, kind, 3) })
	}
}

func killAtRandom(t *testing.T, kind string, n int) {
	w := newWorld(t, place(t, kind))
	w.login(t, nil)
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(uint64(seed), 1))
	var k kills
	for range n {
		w.kill(t, &k, time.Duration(r.Int64N(int64(30*time.Millisecond))))
	}
	k.print(t)
}

func (k kills) print(t *testing.T) {
	t.Helper()
	t.Logf("%s: %d kills during %d refreshes: %d harmless, %d between answer and save, %d logins",
		t.Name(), k.n, k.refreshes, k.harmless, k.lost, k.logins)
}

// TestKilledAtPoints kills at the points where TestStopped stops: the lease and the intent
// of the dead process hold up nobody for longer than the lease.
func TestKilledAtPoints(t *testing.T) {
	t.Parallel()
	killAtPoints(t, "file", func(n int) bool { return n%8 == 3 })
}

func killAtPoints(t *testing.T, kind string, only func(n int) bool) {
	w := newWorld(t, place(t, kind))
	w.login(t, nil)
	var k kills
	for n := 1; n < 100; n++ {
		if !only(n) {
			continue
		}
		store := w.where.must(t)
		w.expire()
		set := w.setting()
		set.Lease, set.StopAt, set.Signal = briefLease, n, syscall.SIGKILL
		before := w.counts()
		p := spawn(t, set)
		p.write(t, order{Ahead: time.Duration(w.ahead.Load()), Goroutines: 1})
		s := p.read(t)
		if s.Point == "" {
			break
		}
		p.kill()
		w.quiet(t)
		w.aftermath(t, &k, before, store)
	}
	if k.n == 0 {
		t.Error("no point was reached")
	}
	k.print(t)
}
