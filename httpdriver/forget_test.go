package httpdriver_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// TestForgetTheClient: the issuer is asked once, with the registration's own token, and
// the next login registers anew.
//
// Rules: dcr-delete.
func TestForgetTheClient(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t)
	c := w.client(t, d)
	w.call(t, c)
	deletions := func() (n int) {
		for _, s := range w.Tap.requests() {
			if s.To == "as" && s.Method == http.MethodDelete {
				n++
				if !strings.HasPrefix(s.Header.Get("Authorization"), "Bearer ") {
					t.Errorf("%v carries no token", s)
				}
			}
		}
		return n
	}
	if err := d.Logout(t.Context(), w.account()); err != nil || deletions() != 0 {
		t.Fatalf("%v, %d deletions", err, deletions())
	}
	if err := d.Login(t.Context(), w.account()); err != nil || w.Tap.count("as", "/register") != 1 {
		t.Fatalf("%v: the client was not kept:%s", err, w.Tap.list())
	}
	if err := d.LogoutWith(t.Context(), w.account(), httpdriver.LogoutOptions{Forget: true}); err != nil || deletions() != 1 {
		t.Fatalf("%v, %d deletions", err, deletions())
	}
	if err := d.Login(t.Context(), w.account()); err != nil || w.Tap.count("as", "/register") != 2 {
		t.Errorf("%v: %s", err, w.Tap.list())
	}
}

// TestForgetTheKey: with the client goes the key that tokens were bound to, and the next
// login makes another.
func TestForgetTheKey(t *testing.T) {
	w := newWorld(t, binding(states.RequireBinding, peer.DPoPRequired))
	d := w.driver(t)
	key := func() string {
		e, err := w.Store.Get(t.Context(), states.Key{Kind: states.KindProofKey, Name: w.Server})
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			t.Fatal(err)
		}
		return string(e.Value)
	}
	w.call(t, w.client(t, d))
	first := key()
	if err := d.Logout(t.Context(), w.account()); err != nil || first == "" || key() != first {
		t.Fatalf("%v: the key was not kept", err)
	}
	w.call(t, w.client(t, d))
	if err := d.LogoutWith(t.Context(), w.account(), httpdriver.LogoutOptions{Forget: true}); err != nil || key() != "" {
		t.Fatalf("%v: the key is still there", err)
	}
	w.call(t, w.client(t, d))
	if again := key(); again == "" || again == first {
		t.Error("no other key was made")
	}
}
