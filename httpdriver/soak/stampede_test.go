//go:build unix

package soak_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

// herd is several processes that find one expired credential at the same time.
type herd struct {
	processes, goroutines, rounds int
	skew                          bool // their clocks are up to ten minutes wrong
	refused                       bool // the token has no expiry; it is refused instead
	brief                         bool // tokens live five minutes, which is less than the error of the clocks
}

// TestStampede: many processes with many goroutines use one expired credential. There is
// one refresh, by whichever process is first (refresh-transaction).
func TestStampede(t *testing.T) {
	for _, kind := range append(append([]string{}, files...), servers...) {
		t.Run(kind, func(t *testing.T) { herd{processes: 3, goroutines: 20, rounds: 2}.run(t, kind) })
	}
	t.Run("skewed clocks", func(t *testing.T) {
		herd{processes: 3, goroutines: 10, rounds: 2, skew: true}.run(t, "sqlite")
	})
	t.Run("skewed clocks, brief lives", func(t *testing.T) {
		herd{processes: 3, goroutines: 10, rounds: 2, skew: true, brief: true}.run(t, "file")
	})
	t.Run("no expiry, refused", func(t *testing.T) {
		herd{processes: 3, goroutines: 10, rounds: 2, refused: true}.run(t, "file")
	})
}

func (h herd) run(t *testing.T, kind string) {
	w := newWorld(t, place(t, kind), func(c *devas.ASConfig) {
		if h.brief {
			c.AccessTokenTTL = 5 * time.Minute
		}
		if h.refused {
			c.Faults = append(c.Faults, "token-expires-absent")
		}
	})
	store := w.where.must(t)
	w.login(t, store)
	var all []*process
	for i := range h.processes {
		set := w.setting()
		if h.skew && h.processes > 1 { // from ten minutes late to ten minutes early
			set.Skew = -10*time.Minute + time.Duration(i)*20*time.Minute/time.Duration(h.processes-1)
		}
		all = append(all, spawn(t, set))
	}
	// The server is slow, so that everybody else really waits.
	slow := func() { time.Sleep(20 * time.Millisecond) }
	w.before.Store(&slow)
	began := time.Now()
	var total counts
	for round := range h.rounds {
		if h.refused {
			// Every process holds the token before the server forgets it.
			h.let(t, w, all, false)
			c, _ := w.record(t, store)
			w.revoke(t, c.Current.Client.ID, c.Current.AccessToken.Reveal())
		} else {
			w.expire()
		}
		before := w.counts()
		h.let(t, w, all, round%2 == 1 && !h.refused)
		got := w.counts().minus(before)
		want := counts{Refreshes: 1}
		if h.brief {
			// By the clock of one process, a token from another may have expired at once. Then
			// the processes replace it in turn, each at most once.
			want.Refreshes = min(max(got.Refreshes, 1), h.processes)
		}
		if got != want {
			t.Errorf("round %d: %v, instead of %v", round+1, got, want)
		}
		total.Refreshes += got.Refreshes
		total.Reuse += got.Reuse
		total.Overlap += got.Overlap
		total.Logins += got.Logins
		total.Refused += got.Refused
	}
	t.Logf("%s: %d processes × %d goroutines, %d rounds in %v: %v", t.Name(), h.processes, h.goroutines, h.rounds,
		time.Since(began).Round(time.Millisecond), total)
}

// let makes every process send its requests at once; all of them must be answered.
func (h herd) let(t *testing.T, w *world, all []*process, cold bool) {
	t.Helper()
	for _, p := range all {
		p.write(t, order{Ahead: time.Duration(w.ahead.Load()), Goroutines: h.goroutines, Cold: cold})
	}
	for i, p := range all {
		if s := p.read(t); s.OK != h.goroutines {
			t.Errorf("process %d: %d of %d requests succeeded; %v", i+1, s.OK, h.goroutines, first(s.Errors))
		}
	}
}

func first(errs []string) []string { return errs[:min(2, len(errs))] }

// revoke makes an access token unusable, as an operator would.
func (w *world) revoke(t *testing.T, client, token string) {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.PostForm(w.ASURL+"/revoke", url.Values{"token": {token}, "client_id": {client}})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
}
