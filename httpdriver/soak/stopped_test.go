//go:build unix

package soak_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
)

// briefLease is how long a refresh may take in tests in which a process has to outlive it.
const briefLease = 600 * time.Millisecond

// pause is what stopping one process has cost.
type pause struct {
	point string
	cost  counts // from the stop to the end
	late  counts // after it continued: it must have sent nothing
}

// stopAt makes a process stop itself at the n-th point of a refresh, lets a second driver
// take over, and lets the first continue when its lease has long expired. ended: the
// refresh has fewer points.
func (w *world) stopAt(t *testing.T, n int) (got pause, ended bool) {
	t.Helper()
	store := w.where.must(t)
	w.expire()
	start := w.counts()
	set := w.setting()
	set.Lease, set.StopAt, set.Signal = briefLease, n, syscall.SIGSTOP
	p := spawn(t, set)
	defer p.kill()
	p.write(t, order{Ahead: time.Duration(w.ahead.Load()), Goroutines: 1})
	s := p.read(t)
	if s.Point == "" {
		if s.OK != 1 {
			t.Fatalf("without a stop: %v", s.Errors)
		}
		return pause{}, true
	}
	p.stopped(t)
	got.point = fmt.Sprintf("%2d, %s", n, s.Point)

	d := w.driver(t, nil, lease(briefLease))
	if _, err := persist(t.Context(), d, w.account()); err != nil {
		t.Fatalf("stopped at %s: the other driver gets nowhere: %v", got.point, err)
	}
	_ = d.Close()
	time.Sleep(briefLease) // nothing relies on this: it only makes sure that the lease has also expired for the first
	theirs, _ := w.record(t, store)
	before := w.counts()

	p.goOn(t)
	if s = p.read(t); s.OK != 1 {
		t.Errorf("stopped at %s: its own request failed: %v", got.point, s.Errors)
	}
	got.cost, got.late = w.counts().minus(start), w.counts().minus(before)
	if got.late != (counts{}) {
		t.Errorf("stopped at %s: after its time it still sent something: %v", got.point, got.late)
	}
	ours, _ := w.record(t, store)
	if !same(theirs, ours) {
		t.Errorf("stopped at %s: the late result has replaced the newer one", got.point)
	}
	w.alive(t, got.point)
	return got, false
}

func same(a, b *states.Credential) bool {
	return a.Current != nil && b.Current != nil && a.Current.AccessToken == b.Current.AccessToken &&
		a.Current.RefreshToken == b.Current.RefreshToken && a.Current.Generation == b.Current.Generation
}

// alive checks that the stored refresh token is the one that the server accepts.
func (w *world) alive(t *testing.T, when string) {
	t.Helper()
	w.expire()
	before := w.counts()
	d := w.driver(t, nil)
	defer d.Close()
	if err := request(t.Context(), d, w.account()); err != nil {
		t.Errorf("%s: afterwards: %v", when, err)
	}
	if got := w.counts().minus(before); got != (counts{Refreshes: 1}) {
		t.Errorf("%s: the next refresh takes %v", when, got)
	}
}

// stops goes through the points and prints the cost of each.
func stops(t *testing.T, kind string, only func(n int) bool, most int) {
	w := newWorld(t, place(t, kind))
	w.login(t, nil)
	var table strings.Builder
	logins, seen := 0, 0
	for n := 1; n <= most; n++ {
		if !only(n) {
			continue
		}
		got, ended := w.stopAt(t, n)
		if ended {
			break
		}
		seen++
		logins += got.cost.Logins
		fmt.Fprintf(&table, "\n  %-36s %v", got.point, got.cost)
		if got.cost.Overlap > 0 || got.cost.Reuse > 1 || got.cost.Logins > got.cost.Reuse {
			t.Errorf("stopped at %s: %v", got.point, got.cost)
		}
	}
	t.Logf("%s: a process stopped at %d points of a refresh, past its lease: %d logins%s", t.Name(), seen, logins, table.String())
	if seen == 0 {
		t.Error("no point was reached")
	}
}

// TestStopped: a process that is stopped until after its lease, and then continued, does
// no harm (refresh-stale-restore).
func TestStopped(t *testing.T) {
	t.Parallel()
	// Only some of the points; the long version has all of them.
	stops(t, "file", func(n int) bool { return n%9 == 5 }, 60)
}

// stopAnywhere takes a process that refreshes without end and stops it from outside, at
// random moments. If a process is stopped in the few milliseconds in which it holds the
// lock of a file, the others cannot use the store until it continues: they fail, but do
// no harm.
func stopAnywhere(t *testing.T, kind string, n int) {
	w := newWorld(t, place(t, kind))
	w.login(t, nil)
	seed := time.Now().UnixNano()
	r := rand.New(rand.NewPCG(uint64(seed), 2))
	var total counts
	blocked, ambiguous := 0, 0
	for i := range n {
		w.expire()
		set := w.setting()
		set.Lease = briefLease
		start := w.counts()
		theirs := w.where.must(t) // while nobody is stopped, because opening a database takes its lock
		p := spawn(t, set)
		p.write(t, order{Ahead: time.Duration(w.ahead.Load()), Goroutines: 4})
		time.Sleep(time.Duration(r.Int64N(int64(12 * time.Millisecond))))
		p.signal(t, syscall.SIGSTOP)
		p.stopped(t)
		d := w.driver(t, theirs, lease(briefLease))
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		_, err := persist(ctx, d, w.account())
		cancel()
		before := w.counts()
		p.signal(t, syscall.SIGCONT)
		if s := p.read(t); s.OK != 4 && err == nil {
			t.Errorf("seed %d, stop %d: its own requests failed: %v", seed, i+1, first(s.Errors))
		}
		got, late := w.counts().minus(start), w.counts().minus(before)
		switch {
		case err != nil:
			blocked++
		case late != (counts{}):
			t.Errorf("seed %d, stop %d: after its time it still sent something: %v", seed, i+1, late)
		}
		if got.Overlap > 0 || got.Reuse > 1 || got.Logins > got.Reuse {
			t.Errorf("seed %d, stop %d: %v", seed, i+1, got)
		}
		ambiguous += got.Reuse
		total.Logins += got.Logins
		total.Refreshes += got.Refreshes
		_ = d.Close()
		p.kill()
		w.alive(t, fmt.Sprint("stop ", i+1))
	}
	t.Logf("%s: %d stops at random instants, past the lease: %d refreshes, %d with the answer unread or unsaved, %d logins, %d stops inside the lock of the store",
		t.Name(), n, total.Refreshes, ambiguous, total.Logins, blocked)
}

// TestLostAnswerOnce: the server has answered, and nobody has stored the answer. The next
// process tries the token once more, finds that it is spent, and logs in. There is one
// login, and the stopped process adopts the result (refresh-ambiguous-once).
func TestLostAnswerOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, place(t, "file"))
	w.login(t, nil)
	w.expire()
	set := w.setting()
	set.Lease = briefLease
	p := spawn(t, set)
	// It is stopped when the server has done its part but has not answered yet.
	reached, answer := make(chan struct{}), make(chan struct{})
	hold := func() {
		w.after.Store(nil)
		close(reached)
		<-answer
	}
	w.after.Store(&hold)
	before := w.counts()
	p.write(t, order{Ahead: time.Duration(w.ahead.Load()), Goroutines: 1})
	<-reached
	p.signal(t, syscall.SIGSTOP)
	p.stopped(t)
	close(answer)
	d := w.driver(t, nil, lease(briefLease))
	if _, err := persist(t.Context(), d, w.account()); err != nil {
		t.Fatal(err)
	}
	p.signal(t, syscall.SIGCONT)
	if s := p.read(t); s.OK != 1 {
		t.Errorf("the stopped process: %v", s.Errors)
	}
	got := w.counts().minus(before)
	if want := (counts{Refreshes: 1, Refused: 1, Reuse: 1, Logins: 1}); got != want {
		t.Errorf("%v instead of %v", got, want)
	}
	w.alive(t, "after a lost answer")
	t.Logf("%s: %v", t.Name(), got)
}
