package guard_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/wire"
)

// TestBoundsOfATransport: what a caller's transport sets is kept where it is stricter than
// the policy, and bounded where it is not.
func TestBoundsOfATransport(t *testing.T) {
	type bounds struct {
		handshake, idle time.Duration
		header          int64
		read            int
		version         uint16
	}
	of := func(tr *http.Transport) bounds {
		b := bounds{tr.TLSHandshakeTimeout, tr.IdleConnTimeout, tr.MaxResponseHeaderBytes, tr.ReadBufferSize, 0}
		if tr.TLSClientConfig != nil {
			b.version = tr.TLSClientConfig.MinVersion
		}
		return b
	}
	usual := bounds{10 * time.Second, 4 * time.Second, 64 << 10, 1 << 10, tls.VersionTLS12}
	for _, c := range []struct {
		given *http.Transport
		want  bounds
		own   bounds // for the server that the user chose
	}{
		{&http.Transport{}, usual, bounds{handshake: 10 * time.Second, header: 64 << 10, version: tls.VersionTLS12}},
		{
			&http.Transport{TLSHandshakeTimeout: -1, IdleConnTimeout: -1, MaxResponseHeaderBytes: 5, ReadBufferSize: 9, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS10}},
			bounds{10 * time.Second, 4 * time.Second, 64 << 10, 9, tls.VersionTLS12}, bounds{10 * time.Second, -1, 5, 9, tls.VersionTLS12},
		},
		{
			&http.Transport{TLSHandshakeTimeout: time.Hour, IdleConnTimeout: time.Hour, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13}},
			bounds{10 * time.Second, 4 * time.Second, 64 << 10, 1 << 10, tls.VersionTLS13}, bounds{10 * time.Second, time.Hour, 64 << 10, 0, tls.VersionTLS13},
		},
		{
			&http.Transport{TLSHandshakeTimeout: time.Second, IdleConnTimeout: time.Second}, bounds{time.Second, time.Second, 64 << 10, 1 << 10, tls.VersionTLS12},
			bounds{time.Second, time.Second, 64 << 10, 0, tls.VersionTLS12},
		},
	} {
		var got []bounds
		mustNew(t, guard.Options{Transport: c.given, Wrap: func(rt http.RoundTripper) http.RoundTripper {
			got = append(got, of(rt.(*http.Transport)))
			return rt
		}})
		if len(got) != 3 || got[0] != c.want || got[1] != c.want || got[2] != c.own {
			t.Errorf("%+v\nwant %+v twice, and %+v", got, c.want, c.own)
		}
	}
}

// body says whether it was closed.
type body struct {
	io.Reader
	closed *bool
}

func (b body) Close() error {
	*b.closed = true
	return nil
}

// TestAnswersAreClosed: the body of every answer is closed, so that its connection ends or
// is used again, also when it is not read to its end.
func TestAnswersAreClosed(t *testing.T) {
	for _, status := range []int{200, 100} {
		closed := false
		g := mustNew(t, guard.Options{Wrap: func(http.RoundTripper) http.RoundTripper {
			return answering(func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: status, Body: body{strings.NewReader("long"), &closed}, Request: r}, nil
			})
		}})
		c := get("https://as.example/")
		c.MaxBody = 2
		if _, f := g.Do(t.Context(), c); (f == nil) != (status == 200) || !closed {
			t.Errorf("%d: %v, closed %v", status, f, closed)
		}
	}
}

// TestSamePort: a port that is spelt out is the one that the scheme stands for, and no other
// scheme's.
func TestSamePort(t *testing.T) {
	for _, c := range []struct {
		from, to string
		followed bool
	}{
		{"https://as.example/", "https://as.example:443/next", true},
		{"https://as.example:443/", "https://AS.example/next", true},
		{"https://as.example/", "https://as.example:80/next", false},
		{"https://as.example/", "http://as.example/next", false},
		{"http://127.0.0.1/", "http://127.0.0.1:80/next", true},
		{"http://127.0.0.1:80/", "http://127.0.0.1/next", true},
		{"http://127.0.0.1/", "http://127.0.0.1:443/next", false},
		{"https://as.example/", "https://as.example:444/next", false},
	} {
		followed := false
		g := mustNew(t, guard.Options{AllowLoopbackHTTP: true, Wrap: func(http.RoundTripper) http.RoundTripper {
			return answering(func(r *http.Request) (*http.Response, error) {
				resp := &http.Response{StatusCode: 302, Header: http.Header{"Location": {c.to}}, Body: http.NoBody, Request: r}
				if r.URL.Path == "/next" {
					followed, resp.StatusCode = true, 200
				}
				return resp, nil
			})
		}})
		if _, f := g.Do(t.Context(), get(c.from)); f != nil || followed != c.followed {
			t.Errorf("%s to %s: %v, followed %v", c.from, c.to, f, followed)
		}
	}
}

// TestDeadlineOfTheCaller: that the caller's own time is over is a time limit, and no
// cancellation.
func TestDeadlineOfTheCaller(t *testing.T) {
	s, tr := server(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	g := mustNew(t, guard.Options{Transport: tr, AllowLoopbackHTTP: true})
	ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(200*time.Millisecond))
	defer cancel()
	if _, f := g.Do(ctx, get(s.URL)); f == nil || f.Class != guard.ClassTimeout {
		t.Errorf("%+v", f)
	}
}

// TestNoQueryInARefusal: a refused address is quoted without its query, which may hold a secret.
func TestNoQueryInARefusal(t *testing.T) {
	g := mustNew(t, guard.Options{})
	for _, url := range []string{"https://user:pw@as.example/x?code=s3cret", "http://as.example/x?code=s3cret", "ftp://as.example/?s3cret", "https://as.example/x?code=s3cret#f"} {
		_, f := g.Do(t.Context(), guard.Call{Request: wire.Request{Method: "GET", URL: url}})
		if f == nil || f.Class != guard.ClassBlocked || strings.Contains(f.Detail, "s3cret") || !strings.Contains(f.Detail, "as.example") {
			t.Errorf("%s: %v", url, f)
		}
	}
}
