package httpdriver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// silentIssuers is a resource whose metadata lists many issuers, none of which
// answers. Its exchanges take the time that they are allowed.
func silentIssuers(issuers int, asked *atomic.Int64) func(context.Context, states.Send) states.Input {
	const server = "https://mcp.example"
	var list []string
	for i := range issuers {
		list = append(list, fmt.Sprintf("https://as%d.example/tenant", i))
	}
	prm, _ := json.Marshal(map[string]any{"resource": server + "/mcp", "authorization_servers": list})
	return func(ctx context.Context, s states.Send) states.Input {
		asked.Add(1)
		if strings.HasPrefix(s.Request.URL, server) {
			return states.Responded{Serial: s.Serial, Response: wire.Response{
				Status: 200, Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}}, Body: prm,
			}}
		}
		select {
		case <-time.After(s.Timeout):
		case <-ctx.Done():
		}
		return states.Unreachable{Serial: s.Serial, Class: states.Lost, Detail: s.Request.URL + " did not answer"}
	}
}

// TestSilentIssuers: a login at a server whose issuers are silent ends within the time
// of a login, which the host may set, however many there are; then nothing is sent any
// more. The first word about it comes within 20 s, and the requests are bounded.
func TestSilentIssuers(t *testing.T) {
	for _, c := range []struct {
		issuers   int
		set, most time.Duration
	}{{1, 0, time.Minute}, {16, 0, time.Minute}, {16, 20 * time.Second, 20 * time.Second}, {1, 90 * time.Second, 90 * time.Second}} {
		issuers := c.issuers
		t.Run(fmt.Sprint(issuers, c.set), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var asked atomic.Int64
				silent := silentIssuers(issuers, &asked)
				send := func(ctx context.Context, s states.Send) states.Input {
					if at := time.Since(began); at >= c.most {
						t.Errorf("a request after %v", at)
					}
					return silent(ctx, s)
				}
				slow := make(chan httpdriver.Slow, 100)
				heard := make(chan time.Duration, 100)
				d, err := httpdriver.New(httpdriver.Options{
					Policy: httpdriver.Policy{LoginTime: c.set}, Send: send, Host: httpdriver.UserAgent(follow),
					Slow: func(s httpdriver.Slow) { slow <- s; heard <- time.Since(began) },
				})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = d.Close() }()
				err = d.Challenge(t.Context(), httpdriver.Account{Server: "https://mcp.example/mcp"}, refusal())
				if err == nil {
					t.Fatal("a token came out of silence")
				}
				took := time.Since(began)
				t.Logf("%d issuers: %d requests in %v: %v", issuers, asked.Load(), took, err)
				if took > c.most+time.Second || issuers > 1 && took < c.most/2 {
					t.Errorf("it took %v", took)
				}
				if asked.Load() > 45 {
					t.Errorf("%d requests", asked.Load())
				}
				if first := <-heard; first > 20*time.Second {
					t.Errorf("the first word came after %v", first)
				}
				if s := <-slow; s.Host != "as0.example" || s.Doing == "" || !strings.Contains(err.Error(), "as0.example") {
					t.Errorf("%+v %v", s, err)
				}
			})
		})
	}
}

// refusal is a 401 with a challenge that names nothing.
func refusal() *http.Response {
	return &http.Response{
		StatusCode: http.StatusUnauthorized, Status: "401 Unauthorized",
		Header: http.Header{"Www-Authenticate": {"Bearer"}}, Body: http.NoBody,
	}
}

// TestTheTimeOfAUserIsTheirs: what users take at the issuer is no time of the login: if their code is
// refused then, because the issuer has forgotten the client, a client is registered and they are
// sent there again.
func TestTheTimeOfAUserIsTheirs(t *testing.T) {
	var refused atomic.Bool
	inBubble(t, func(t *testing.T, w *world) {
		w.call(t, w.client(t, w.driver(t)))
		if err := w.driver(t).Logout(t.Context(), w.account()); err != nil {
			t.Fatal(err)
		}
		refused.Store(true)
		user, visits := w.options.Host.(httpdriver.UserAgent), 0
		d := w.driver(t, func(o *httpdriver.Options) {
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				visits++
				time.Sleep(4 * time.Minute)
				return user(ctx, v)
			})
		})
		if err := d.Login(t.Context(), w.account()); err != nil || visits != 2 {
			t.Errorf("%v, after %d visits", err, visits)
		}
	}, func(s setup) {
		s.Wrap["as"] = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/token" && refused.CompareAndSwap(true, false) {
					says(http.StatusUnauthorized, "application/json", `{"error":"invalid_client"}`)(rw, r)
					return
				}
				next.ServeHTTP(rw, r)
			})
		}
	})
}
