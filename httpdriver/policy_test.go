package httpdriver_test

import (
	"net/http"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
)

// TestPolicyFillsConfig: every member of a configuration is decided by the policy
// or by the account, or is derived from them, and nothing in the policy is lost.
func TestPolicyFillsConfig(t *testing.T) {
	derived := map[string]bool{"Resource": true, "Loopback": true, "Elided": true,
		"Binding": true, "ProofKey": true, // with the key of the account, which is read first
		"Shows": true} // by Options.Show
	var p httpdriver.Policy
	fill(t, reflect.ValueOf(&p).Elem())
	c := reflect.ValueOf(p.Config(httpdriver.Account{Server: "x", Tenant: "x", Subject: "x", Name: "x"}))
	for i := range c.NumField() {
		name := c.Type().Field(i).Name
		if c.Field(i).IsZero() != derived[name] {
			t.Errorf("%s is %v", name, c.Field(i))
		}
	}
}

// fill gives every member a value that is not zero.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString("x")
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Int64:
			f.SetInt(1)
		case reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		case reflect.Struct:
			fill(t, f)
		case reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
		default:
			t.Fatalf("%s is a %s", v.Type().Field(i).Name, f.Kind())
		}
	}
}

// counting is instrumentation: it counts what it passes on.
type counting struct {
	next http.RoundTripper
	n    *atomic.Int64
}

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return c.next.RoundTrip(r)
}

// TestWrapTransport: instrumentation sees every request, also the server's own,
// and the guard's dialler still refuses what it should.
func TestWrapTransport(t *testing.T) {
	w := newWorld(t)
	var n atomic.Int64
	d := w.driver(t, func(o *httpdriver.Options) {
		o.WrapTransport = func(next http.RoundTripper) http.RoundTripper { return counting{next, &n} }
	})
	w.call(t, w.client(t, d))
	if got, sent := n.Load(), int64(len(w.Tap.requests())); got != sent {
		t.Errorf("%d of %d requests went through it", got, sent)
	}
}

// TestFrozenClock: a driver whose clock stands still logs in over its own store.
func TestFrozenClock(t *testing.T) {
	w := newWorld(t)
	at := time.Now()
	d := w.driver(t, func(o *httpdriver.Options) { o.Store, o.Clock = nil, func() time.Time { return at } })
	w.call(t, w.client(t, d))
}
