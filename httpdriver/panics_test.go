package httpdriver_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/luikyv/go-oidc/pkg/goidc"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/keys"
	"github.com/stile-oauth/stile/states"
)

// TestPanics: a function of the host that panics takes no process and no lock with
// it: what it owes is missing, and the next request is served.
func TestPanics(t *testing.T) {
	for name, change := range map[string]func(*httpdriver.Options, *bool){
		"Observe": func(o *httpdriver.Options, bad *bool) {
			o.Observe = func(httpdriver.Step) {
				if *bad {
					panic("observe")
				}
			}
		},
		"Ask": func(o *httpdriver.Options, bad *bool) {
			o.Policy.Asks = []states.Question{states.AskIssuer, states.AskResource, states.AskScopes}
			o.Ask = func(_ context.Context, _ httpdriver.Account, q states.Ask) (states.Answered, error) {
				if *bad {
					panic("ask")
				}
				return states.Answered{Value: q.Default}, nil
			}
		},
		"Visit": func(o *httpdriver.Options, bad *bool) {
			o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
				if *bad {
					panic("visit")
				}
				return follow(ctx, v)
			})
		},
		"Bind": func(o *httpdriver.Options, bad *bool) {
			o.Host = panicking{httpdriver.UserAgent(follow), bad, "bind"}
		},
		"RedirectURI": func(o *httpdriver.Options, bad *bool) {
			o.Host = panicking{httpdriver.UserAgent(follow), bad, "address"}
		},
		"Close": func(o *httpdriver.Options, bad *bool) {
			o.Host = panicking{httpdriver.UserAgent(follow), bad, "close"}
		},
		"Paste": func(o *httpdriver.Options, bad *bool) {
			panics, pasting := false, make(chan struct{})
			o.Host = httpdriver.Browser{
				NoBrowser: true,
				Print: func(v httpdriver.Visit, _ bool) {
					panics = *bad
					go func() {
						if panics {
							<-pasting
						}
						if location, err := follow(context.Background(), v); err == nil {
							visit(location)
						}
					}()
				},
				Paste: func(ctx context.Context) (string, error) {
					if panics {
						close(pasting)
						panic("paste")
					}
					<-ctx.Done()
					return "", ctx.Err()
				},
			}
		},
		"Trace":              func(o *httpdriver.Options, bad *bool) { o.Trace = panickingTrace(bad) },
		"the trace's writer": func(o *httpdriver.Options, bad *bool) { o.Trace = panickingWriter(bad) },
		"WrapTransport": func(o *httpdriver.Options, bad *bool) {
			o.WrapTransport = func(next http.RoundTripper) http.RoundTripper { return panickingRound{next, bad} }
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			bad := true
			d := w.driver(t, func(o *httpdriver.Options) { change(o, &bad) })
			c := w.client(t, d)
			var err error
			if name == "WrapTransport" {
				err = d.Login(t.Context(), w.account()) // in a request of the host it panics where the host sees it
			} else {
				_, _, err = w.post(t.Context(), c, ping)
			}
			fails := map[string]bool{"Visit": true, "Bind": true, "RedirectURI": true, "WrapTransport": true}
			if fails[name] != (err != nil) || name == "WrapTransport" && !strings.Contains(err.Error(), "the host's own transport failed") {
				t.Fatalf("%v", err)
			}
			bad = false
			if err := d.Login(t.Context(), w.account()); err != nil {
				t.Fatal(err)
			}
			w.call(t, c)
		})
	}
}

// panicking is a host and its listener.
type panicking struct {
	httpdriver.Host
	bad   *bool
	where string
}

func (p panicking) Bind(ctx context.Context, preferred []string) (httpdriver.Listener, error) {
	if *p.bad && p.where == "bind" {
		panic("bind")
	}
	b, err := p.Host.Bind(ctx, preferred)
	return panickingBinding{b, p}, err
}

type panickingBinding struct {
	httpdriver.Listener
	p panicking
}

func (b panickingBinding) RedirectURI() string {
	if *b.p.bad && b.p.where == "address" {
		panic("address")
	}
	return b.Listener.RedirectURI()
}

func (b panickingBinding) Close() error {
	if *b.p.bad && b.p.where == "close" {
		panic("close")
	}
	return b.Listener.Close()
}

func panickingTrace(bad *bool) httpdriver.TraceTo {
	return func(httpdriver.Account) (io.WriteCloser, error) {
		if *bad {
			panic("trace")
		}
		return nil, errors.New("no trace is wanted")
	}
}

type writesBadly struct{ bad *bool }

func (w writesBadly) Write(p []byte) (int, error) {
	if *w.bad {
		panic("write")
	}
	return len(p), nil
}

func (w writesBadly) Close() error {
	if *w.bad {
		panic("close")
	}
	return nil
}

func panickingWriter(bad *bool) httpdriver.TraceTo {
	return func(httpdriver.Account) (io.WriteCloser, error) { return writesBadly{bad}, nil }
}

type panickingRound struct {
	next http.RoundTripper
	bad  *bool
}

func (p panickingRound) RoundTrip(r *http.Request) (*http.Response, error) {
	if *p.bad {
		panic("round trip")
	}
	return p.next.RoundTrip(r)
}

// visit goes to an address, as a browser does that was sent back.
func visit(address string) {
	if resp, err := http.Get(address); err == nil { //nolint:gosec,noctx // on loopback
		_ = resp.Body.Close()
	}
}

// panickingSigner is a key whose use panics.
type panickingSigner struct{ *keys.Key }

func (panickingSigner) Sign(context.Context, string, string, []byte) ([]byte, error) { panic("sign") }

// TestPanicsOnTheWayToAToken: the functions that a token needs. A login ends in a fault
// that says whose function it was, and the next one begins afresh.
func TestPanicsOnTheWayToAToken(t *testing.T) {
	client, key := keyed(t, goidc.GrantClientCredentials)
	for name, begin := range map[string]func(*testing.T) (*httpdriver.Driver, httpdriver.Account){
		"Options.Signer": func(t *testing.T) (*httpdriver.Driver, httpdriver.Account) {
			w := newIndependent(t, client)
			return w.driver(t, func(o *httpdriver.Options) {
				o.Policy.Client, o.Policy.Grant = &states.Configured{Issuer: w.ASURL, ID: "app"}, states.OwnGrant
				o.Signer = panickingSigner{key}
			}), w.account()
		},
		"Options.ProofSigner": func(t *testing.T) (*httpdriver.Driver, httpdriver.Account) {
			w := newWorld(t, binding(states.RequireBinding, peer.DPoPRequired))
			return w.driver(t, func(o *httpdriver.Options) { o.ProofSigner = panickingSigner{key} }), w.account()
		},
		"Options.Workload": func(t *testing.T) (*httpdriver.Driver, httpdriver.Account) {
			w := newWorld(t)
			return w.driver(t, func(o *httpdriver.Options) {
				o.Policy.Grant, o.Policy.Issuer = states.WorkloadGrant, w.ASURL
				o.Workload = func(context.Context, httpdriver.Account, []string) (string, error) { panic("workload") }
			}), w.account()
		},
		"Options.Identity": func(t *testing.T) (*httpdriver.Driver, httpdriver.Account) {
			w, _, options := enterprise(t)
			return w.driver(t, func(o *httpdriver.Options) {
				options(o)
				o.Identity = func(context.Context, httpdriver.Account, httpdriver.IdentityRequest) (string, error) {
					panic("identity")
				}
			}), w.account()
		},
		"transport": func(t *testing.T) (*httpdriver.Driver, httpdriver.Account) { // Options.Send
			w := newWorld(t)
			return w.driver(t, func(o *httpdriver.Options) {
				o.Send = func(context.Context, states.Send) states.Input { panic("send") }
			}), w.account()
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, a := begin(t)
			for range 2 {
				err := d.Login(t.Context(), a)
				if _, ok := fsm.FaultOf(err); !ok || !strings.Contains(err.Error(), name) {
					t.Errorf("%v", err)
				}
			}
		})
	}
}
