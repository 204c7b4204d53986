package guard_test

import (
	"context"
	"net"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/wire"
)

// TestTimeRunsWhileConnecting: an exchange that looks up a name or makes a connection
// waits for no other exchange, so its time runs.
func TestTimeRunsWhileConnecting(t *testing.T) {
	const timeout = 3 * time.Second
	// Package net reads the resolver's configuration once, which must not be in a bubble.
	if _, err := (&net.Resolver{PreferGo: true}).LookupNetIP(t.Context(), "ip", "localhost"); err != nil {
		t.Log(err)
	}
	hangs := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for name, c := range map[string]struct {
		dialer *net.Dialer
		url    string
	}{
		"the look-up of a name": {&net.Dialer{Resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return nil, hangs(ctx)
		}}}, "https://as.example/"},
		"the connection": {&net.Dialer{ControlContext: func(ctx context.Context, _, _ string, _ syscall.RawConn) error {
			return hangs(ctx)
		}}, "https://127.0.0.1:1/"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := mustNew(t, guard.Options{Dialer: c.dialer, Transport: &http.Transport{}})
				began := time.Now()
				_, f := g.Do(t.Context(), guard.Call{Request: wire.Request{Method: "GET", URL: c.url}, Loopback: true, Timeout: timeout})
				if took := time.Since(began); f == nil || f.Class != guard.ClassTimeout || f.Sent || took != timeout {
					t.Errorf("%+v after %v", f, took)
				}
			})
		})
	}
}
