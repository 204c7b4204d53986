package httpdriver_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// TestTimeOfAPoll: the question whether the user has decided at another device ends with the time of
// the login and with the mark that keeps other processes from asking, whichever is earlier.
func TestTimeOfAPoll(t *testing.T) {
	for name, c := range map[string]struct{ login, request, want time.Duration }{
		"the login's": {20 * time.Second, 15 * time.Second, 5 * time.Second},
		"the mark's":  {10 * time.Minute, 10 * time.Minute, states.MarkLife},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got []time.Duration
				l := &library{answer: func(_ context.Context, s states.Send, _ int) states.Input {
					status, body := http.StatusOK, ""
					switch s.Request.URL {
					case issuersPage:
						body = strings.ReplaceAll(`{"issuer":"@","token_endpoint":"@/token","device_authorization_endpoint":"@/device","response_types_supported":["code"]}`, "@", libraryIssuer)
					case libraryIssuer + "/device":
						body = `{"device_code":"d","user_code":"u","verification_uri":"https://as.example/enter","expires_in":600,"interval":5}`
					case libraryIssuer + "/token":
						got = append(got, s.Timeout)
						status, body = http.StatusBadRequest, `{"error":"access_denied"}`
					}
					if status == http.StatusOK { // three requests before the poll
						time.Sleep(5 * time.Second)
					}
					if body == "" {
						return nil
					}
					return states.Responded{Serial: s.Serial, Response: wire.Response{
						Status: status, Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}}, Body: []byte(body),
					}}
				}}
				d, err := httpdriver.New(httpdriver.Options{
					Send: l.send, Show: func(httpdriver.Account, states.Show) {},
					Policy: httpdriver.Policy{
						Grant: states.DeviceGrant, Client: &states.Configured{Issuer: libraryIssuer, ID: "app"}, LoginTime: c.login, HTTPTime: c.request,
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = d.Close() }()
				if err := <-reads(t, d, reader("one")); err == nil || len(got) != 1 || got[0] != c.want {
					t.Errorf("%v for the poll: %v", got, err)
				}
			})
		})
	}
}
