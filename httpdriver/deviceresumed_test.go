package httpdriver_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/filestore"
	"github.com/stile-oauth/stile/storage/sealed"
)

// TestDeviceLoginResumed: two processes share a sealed store of files. One is given a code and
// ends, or stands still; the other shows the same code, asks until the user has decided, and
// the first one, when it goes on, asks no more.
//
// Rules: ext-device-response, ext-device-poll, reg-single-flight.
func TestDeviceLoginResumed(t *testing.T) {
	for _, stands := range []bool{false, true} {
		t.Run(map[bool]string{false: "ended", true: "stands still"}[stands], func(t *testing.T) {
			var decided atomic.Bool
			var code atomic.Value // the device code
			polls := make(chan string, 100)
			w := newWorld(t, func(s setup) {
				s.Wrap["as"] = func(next http.Handler) http.Handler {
					return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
						switch {
						case strings.HasSuffix(r.URL.Path, "/device_authorization"):
							rec := httptest.NewRecorder()
							next.ServeHTTP(rec, r)
							b := bytes.Replace(rec.Body.Bytes(), []byte(`"interval":5`), []byte(`"interval":1`), 1)
							code.Store(member(b, "device_code"))
							rw.Header().Set("Content-Type", "application/json")
							rw.WriteHeader(rec.Code)
							_, _ = rw.Write(b)
						case strings.HasSuffix(r.URL.Path, "/token"):
							polls <- r.Header.Get("X-Process")
							if !decided.Load() {
								rw.Header().Set("Content-Type", "application/json")
								rw.WriteHeader(http.StatusBadRequest)
								_, _ = rw.Write([]byte(`{"error":"authorization_pending"}`))
								return
							}
							next.ServeHTTP(rw, r)
						default:
							next.ServeHTTP(rw, r)
						}
					})
				}
			})
			raw := storage.Store(storage.NewMemory(storage.Clock(w.Clock.Now)))
			if !stands {
				files, err := filestore.Open(filepath.Join(t.TempDir(), "store"))
				if err != nil {
					t.Fatal(err)
				}
				raw = files
			}
			key, shown := sealed.NewKey(), make(chan states.Show, 10)
			process := func(name string, at *stop) (*httpdriver.Driver, <-chan error) {
				store, err := sealed.New(&stopping{raw, at}, key)
				if err != nil {
					t.Fatal(err)
				}
				d := w.driver(t, func(o *httpdriver.Options) {
					o.Store, o.Policy.Grant = store, states.DeviceGrant
					o.Show = func(_ httpdriver.Account, s states.Show) { shown <- s }
					o.WrapTransport = func(next http.RoundTripper) http.RoundTripper { return &named{next, name} }
				})
				end := make(chan error, 1)
				go func() { end <- d.Login(t.Context(), w.account()) }()
				return d, end
			}
			first := &stop{open: make(chan struct{})}
			a, aEnds := process("a", first)
			one := <-shown
			if from := <-polls; from != "a" {
				t.Fatalf("%s asked", from)
			}
			parked := states.Key{Kind: states.KindLogin, Name: "device " + w.Server}
			if e, err := raw.Get(t.Context(), parked); err != nil || bytes.Contains(e.Value, []byte(code.Load().(string))) {
				t.Errorf("the code is not parked, or not sealed: %v", err)
			}
			if stands {
				first.shut.Store(true)
				w.Clock.forward(states.MarkLife + time.Second)
			} else {
				_ = a.Close()
				if err := <-aEnds; err == nil {
					t.Error("a driver that was closed has logged in")
				}
			}
			_, bEnds := process("b", &stop{})
			again := <-shown
			if again.UserCode != one.UserCode || again.UserCode == "" {
				t.Errorf("another code was shown: %+v, %+v", one, again)
			}
			for from := ""; from != "b"; {
				from = <-polls
			}
			decided.Store(true)
			if err := <-bEnds; err != nil {
				t.Fatal(err)
			}
			close(first.open)
			if stands {
				if err := <-aEnds; err != nil {
					t.Errorf("who stood still: %v", err)
				}
			}
			if n := w.Tap.count("as", "/device_authorization"); n != 1 {
				t.Errorf("%d codes were asked for", n)
			}
			for len(polls) > 0 {
				if from := <-polls; from != "b" {
					t.Errorf("%s asked as well", from)
				}
			}
			if _, err := raw.Get(t.Context(), parked); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("the code is still parked: %v", err)
			}
		})
	}
}

// named says in each request which process sends it.
type named struct {
	http.RoundTripper
	name string
}

func (n *named) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Process", n.name)
	return n.RoundTripper.RoundTrip(r)
}

// stop keeps a process waiting at the store while it is shut.
type stop struct {
	shut atomic.Bool
	open chan struct{}
}

type stopping struct {
	storage.Store
	stop *stop
}

func (g *stopping) Put(ctx context.Context, k states.Key, v []byte, expected states.Generation, until time.Time) (states.Generation, error) {
	if g.stop.shut.Load() {
		<-g.stop.open
	}
	return g.Store.Put(ctx, k, v, expected, until)
}

// member is a member of a JSON object whose value is a plain string.
func member(object []byte, name string) string {
	_, rest, _ := strings.Cut(string(object), `"`+name+`":"`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}
