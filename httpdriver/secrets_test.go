package httpdriver_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// page is a buffer for several writers.
type page struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.Write(b)
}

func (p *page) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.String()
}

// tee lets the answers of a server be read on their way.
func (p *page) tee(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(&teeing{w, p}, r)
	})
}

type teeing struct {
	http.ResponseWriter
	p *page
}

func (t *teeing) Write(b []byte) (int, error) {
	_, _ = t.p.Write(b)
	return t.ResponseWriter.Write(b)
}

func (t *teeing) WriteHeader(status int) {
	_, _ = fmt.Fprintln(t.p, t.Header().Get("Location"))
	t.ResponseWriter.WriteHeader(status)
}

// canaries gathers every secret that was ever on the wire: what the issuer
// gave out, what was sent to it, and what only the user may see.
func (w *world) canaries(t *testing.T, answers string) map[string]string {
	t.Helper()
	found := map[string]string{}
	add := func(kind, v string) {
		if len(v) > 8 {
			found[kind+" "+fmt.Sprint(len(found))] = v
		}
	}
	w.Tap.mu.Lock()
	all := append([]sent(nil), w.Tap.all...)
	w.Tap.mu.Unlock()
	for _, s := range all {
		for _, name := range []string{"code", "code_verifier", "refresh_token", "client_secret", "token"} {
			add(name, s.form(name))
		}
		q, _ := url.ParseQuery(s.Query)
		add("state", q.Get("state"))
		if a := s.Header.Get("Authorization"); a != "" {
			add("authorization", a[strings.IndexByte(a, ' ')+1:])
		}
	}
	for _, name := range []string{"access_token", "refresh_token", "client_secret", "code=", "registration_access_token"} {
		for _, part := range strings.Split(answers, name)[1:] {
			part = strings.TrimLeft(part, `":=`)
			if i := strings.IndexAny(part, "\"&\n"); i > 0 {
				add("given "+name, part[:i])
			}
		}
	}
	return found
}

// TestNothingSecretIsTold: neither log lines at Debug, as text and as JSON, nor
// the printing of whatever an observer is given, nor errors, hold a secret.
func TestNothingSecretIsTold(t *testing.T) {
	var text, json, observed, errs, answers page
	const clientSecret = "canary-of-a-configured-client"
	lives := map[string]func(*httpdriver.Options){
		"registered": func(*httpdriver.Options) {},
		"configured": func(o *httpdriver.Options) {
			o.Policy.Client = &states.Configured{ID: "configured", Secret: clientSecret}
		},
	}
	for name, change := range lives {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(s setup) {
				s.Wrap["as"] = answers.tee
				s.AS.Clients = append(s.AS.Clients, peer.PreClient{ID: "configured", Secret: clientSecret, RedirectURIs: []string{"http://127.0.0.1/callback"}})
			})
			observe := func(s httpdriver.Step) {
				// Every way in which somebody could print it.
				for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
					_, _ = fmt.Fprintf(&observed, verb+"\n", s)
					for _, e := range s.Result.Effects {
						_, _ = fmt.Fprintf(&observed, verb+"\n", e)
					}
					_, _ = fmt.Fprintf(&observed, verb+" "+verb+" "+verb+"\n", s.Input, s.From, s.Result.Machine.Data)
				}
				slog.New(slog.NewJSONHandler(&observed, nil)).Info("step", "step", s, "input", s.Input, "effects", s.Result.Effects)
				slog.New(slog.NewTextHandler(&observed, nil)).Info("step", "step", s, "input", s.Input, "effects", s.Result.Effects)
			}
			level := &slog.HandlerOptions{Level: slog.LevelDebug}
			for _, out := range []slog.Handler{slog.NewTextHandler(&text, level), slog.NewJSONHandler(&json, level)} {
				w.Store = storage.NewMemory()
				d := w.driver(t, change, func(o *httpdriver.Options) {
					o.Logger, o.Observe = slog.New(out), observe
					if o.Policy.Client != nil {
						o.Policy.Client.Issuer = w.ASURL
					}
				})
				c := w.client(t, d)
				w.call(t, c)
				w.Clock.forward(2 * time.Hour)
				w.call(t, c)
				tok, err := d.Token(t.Context(), w.account())
				if err != nil {
					t.Fatal(err)
				}
				if name == "registered" {
					w.revoke(t, tok.AccessToken)
					w.call(t, c)
				}
				if status, _, err := w.post(t.Context(), c, admin); status != 200 {
					t.Fatal(status, err)
				}
				st, err := d.Status(t.Context(), w.account())
				_, _ = fmt.Fprintf(&errs, "%v %+v %#v %v\n", st, st, st, err)
				if err := d.Logout(t.Context(), w.account()); err != nil {
					t.Fatal(err)
				}
				// A login that fails, with what the peer wrote in it.
				bad := w.driver(t, change, func(o *httpdriver.Options) {
					o.Logger, o.Observe = slog.New(out), observe
					o.Host = httpdriver.UserAgent(func(ctx context.Context, v httpdriver.Visit) (string, error) {
						raw, err := follow(ctx, v)
						return strings.Replace(raw, "code=", "code=not-", 1), err
					})
					if o.Policy.Client != nil {
						o.Policy.Client.Issuer = w.ASURL
					}
				})
				_, _, err = w.post(t.Context(), w.client(t, bad), ping)
				_, _ = fmt.Fprintf(&errs, "%v %+v %#v %q\n", err, err, err, err)
				web := w.driver(t, change, web, func(o *httpdriver.Options) {
					o.Logger, o.Observe, o.Store = slog.New(out), observe, storage.NewMemory()
					o.Policy.Client = nil
				})
				_, _, err = w.post(t.Context(), w.client(t, web), ping)
				need := required(t, err)
				_, _ = fmt.Fprintf(&errs, "%v %s\n", err, need.Error())
			}
			secrets := w.canaries(t, answers.String())
			if len(secrets) < 12 {
				t.Fatalf("the canaries were not found: %d", len(secrets))
			}
			for where, told := range map[string]string{"the text log": text.String(), "the JSON log": json.String(), "observer": observed.String(), "errors": errs.String()} {
				if len(told) < 100 {
					t.Errorf("%s is empty", where)
				}
				for kind, v := range secrets {
					if i := strings.Index(told, v); i >= 0 {
						t.Errorf("%s holds a %s: …%s…", where, kind, told[max(0, i-120):min(len(told), i+20)])
						break
					}
				}
			}
		})
	}
}
