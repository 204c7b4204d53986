package httpdriver_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
		}), "house-visit: no route to host"},
		{"an error with the address in it", httpdriver.UserAgent(func(_ context.Context, v httpdriver.Visit) (string, error) {
			went = v.URL
			return "", fmt.Errorf("cannot open <%s>", v.URL)
		}), "cannot open <the authorization URL>"},
		{"an error that spells the address in another way", httpdriver.UserAgent(func(_ context.Context, v httpdriver.Visit) (string, error) {
			went = v.URL
			u, _ := url.Parse(v.URL)
			return "", fmt.Errorf("cannot open %x", u.Query().Get("state"))
		}), "cannot open secret(…)"},
		{"no browser, and nobody prints the link", httpdriver.Browser{
			Open: func(_ context.Context, u string) error { went = u; return errors.New("no display") },
		}, "no display"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			var told strings.Builder
			d := w.driver(t, func(o *httpdriver.Options) { o.Host, o.Logger = tt.host, slog.New(slog.NewTextHandler(&told, nil)) })
			err := d.Login(t.Context(), w.account())
			fault, ok := errors.AsType[*fsm.HostError](err)
			if !ok || fault.Problem.Rule != rules.HouseVisit || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("it ends with %v", err)
			}
			u, _ := url.Parse(went)
			for _, st := range []string{u.Query().Get("state"), fmt.Sprintf("%x", u.Query().Get("state"))} {
				if st == "" || strings.Contains(err.Error(), st) || strings.Contains(told.String(), st) {
					t.Errorf("the error or the log shows state: %v: %s", err, told.String())
				}
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
