//go:build unix

package soak_test

import (
	"testing"
	"time"

	"github.com/stile-oauth/stile/storage"
)

// aftermath looks at what a killed process has left behind, and lets another one go on.
func (w *world) aftermath(t *testing.T, k *kills, before counts, store storage.Store) {
	t.Helper()
	left, _ := w.record(t, store)
	if left.Current == nil || left.Current.RefreshToken == "" {
		t.Errorf("kill %d: the credential is gone", k.n+1)
		return
	}
	lost := left.Current.RefreshToken.Reveal() != w.live()
	died := w.counts()
	if d := died.minus(before); d.Reuse+d.Overlap+d.Refused+d.Logins > 0 {
		t.Errorf("kill %d: before its end: %v", k.n+1, d)
	}
	k.refreshes += died.Refreshes - before.Refreshes

	// Whatever time the dead process saw, make sure that the stored token has expired.
	for left.Current.Expires.After(w.now()) {
		w.ahead.Add(int64(time.Hour))
	}
	w.expire()
	d := w.driver(t, nil, lease(briefLease))
	defer d.Close()
	if _, err := persist(t.Context(), d, w.account()); err != nil {
		t.Errorf("kill %d: nobody can go on: %v", k.n+1, err)
		return
	}
	got := w.counts().minus(died)
	k.n++
	k.logins += got.Logins
	if lost {
		k.lost++
		if want := (counts{Refused: 1, Reuse: 1, Logins: 1}); got != want {
			t.Errorf("kill %d, after the answer and before the save: %v instead of %v", k.n, got, want)
		}
		return
	}
	k.harmless++
	if want := (counts{Refreshes: 1}); got != want {
		t.Errorf("kill %d, where nothing was lost: %v instead of %v", k.n, got, want)
	}
}
