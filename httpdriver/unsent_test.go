package httpdriver_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/storage"
)

// TestNobodyCanBeSent: where the user cannot be sent to the issuer, the login
// ends at once and says why; the address with its `state` is in no error. What
// was parked for the login is gone.
func TestNobodyCanBeSent(t *testing.T) {
	var went string
	for _, tt := range []struct {
		name string
		host httpdriver.Host
		says string
	}{
		{"no user agent", httpdriver.UserAgent(func(_ context.Context, v httpdriver.Visit) (string, error) {
			went = v.URL
			return "", &url.Error{Op: "Get", URL: v.URL, Err: errors.New("no route to host")}
		}), "no route to host"},
		{"an error with the address in it", httpdriver.UserAgent(func(_ context.Context, v httpdriver.Visit) (string, error) {
			went = v.URL
			return "", fmt.Errorf("cannot open <%s>", v.URL)
		}), "cannot open <the authorization URL>"},
		{"no browser, and nobody prints the link", httpdriver.Browser{
			Open: func(_ context.Context, u string) error { went = u; return errors.New("no display") },
		}, "no display"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			d := w.driver(t, func(o *httpdriver.Options) { o.Host = tt.host })
			err := d.Login(t.Context(), w.account())
			fault, ok := errors.AsType[*fsm.HostError](err)
			if !ok || fault.Problem.Rule != rules.HouseVisit || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("it ends with %v", err)
			}
			u, _ := url.Parse(went)
			if st := u.Query().Get("state"); st == "" || strings.Contains(err.Error(), st) {
				t.Errorf("the error shows state: %v", err)
			}
			keys, lerr := w.Store.(storage.Lister).List(t.Context(), "", "")
			if lerr != nil {
				t.Fatal(lerr)
			}
			for _, k := range keys {
				if k.Kind != states.KindRegistration {
					t.Errorf("a %s is left", k.Kind)
				}
			}
		})
	}
}
