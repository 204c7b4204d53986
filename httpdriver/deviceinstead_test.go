package httpdriver_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
)

// TestDeviceInstead: where nothing can listen for a redirect, the user decides at another device if
// the host shows codes, and if it has not named the address of the redirect.
//
// Rules: ext-device-not-core.
func TestDeviceInstead(t *testing.T) {
	for name, c := range map[string]struct {
		redirects []string
		shows     bool
		device    bool
	}{
		"a host that shows codes":                          {nil, true, true},
		"one that shows none":                              {nil, false, false},
		"one that names no port":                           {[]string{"http://127.0.0.1/callback"}, true, true},
		"one that names the address where nothing listens": {[]string{"http://127.0.0.1:1/callback"}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world) {
				shown := 0
				d := w.driver(t, func(o *httpdriver.Options) {
					o.Host = binder(func() (httpdriver.Listener, error) { return nil, errors.New("no port is free") })
					o.Policy.Redirects = c.redirects
					if c.shows {
						o.Show = func(httpdriver.Account, states.Show) { shown++ }
					}
				})
				err := d.Login(t.Context(), w.account())
				if f, failed := fsm.FaultOf(err); failed == c.device || failed && f.Problem.Rule != rules.RegBindBeforeRegister {
					t.Fatal(err)
				}
				if want := map[bool]int{true: 1}[c.device]; shown != want {
					t.Errorf("%d codes were shown", shown)
				}
				if !c.device {
					return
				}
				time.Sleep(2 * time.Hour) // and the token is renewed
				w.call(t, w.client(t, d))
				if err := d.LogoutWith(t.Context(), w.account(), httpdriver.LogoutOptions{Forget: true}); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
