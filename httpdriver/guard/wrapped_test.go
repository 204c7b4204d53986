package guard_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

type answering func(*http.Request) (*http.Response, error)

func (f answering) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestOldTLSOfAWrapper: an answer that came over an older TLS is none, whatever carried it.
func TestOldTLSOfAWrapper(t *testing.T) {
	for version, ok := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		g := mustNew(t, guard.Options{Wrap: func(http.RoundTripper) http.RoundTripper {
			return answering(func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("")), TLS: &tls.ConnectionState{Version: version}, Request: r}, nil
			})
		}})
		_, f := g.Do(t.Context(), get("https://as.example/"))
		if ok && f != nil {
			t.Errorf("%s: %v", tls.VersionName(version), f)
		}
		if !ok {
			wantFailure(t, f, guard.ClassTLS, rules.NetTLSVerify, true)
		}
	}
}

// TestGivenUserAgent: a request that says who sends it says that.
func TestGivenUserAgent(t *testing.T) {
	var agents []string
	s, tr := server(t, func(_ http.ResponseWriter, r *http.Request) { agents = append(agents, r.Header["User-Agent"]...) })
	g := mustNew(t, guard.Options{Transport: tr, AllowLoopbackHTTP: true})
	c := get(s.URL)
	c.Request.Header = wire.Fields{{Name: "User-Agent", Value: "other/1"}}
	if _, f := g.Do(t.Context(), c); f != nil || len(agents) != 1 || agents[0] != "other/1" {
		t.Errorf("%q, %v", agents, f)
	}
}

// TestLongHeaders: a header of more than 64 KiB is an answer that is lost, in each version
// of HTTP.
func TestLongHeaders(t *testing.T) {
	s, tr := server(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := range 14 {
			w.Header().Set("X-"+itoa(i), strings.Repeat("x", 5<<10))
		}
	})
	one := tr.Clone()
	one.ForceAttemptHTTP2, one.TLSNextProto, one.TLSClientConfig.NextProtos = false, map[string]func(string, *tls.Conn) http.RoundTripper{}, nil
	for _, tr := range []*http.Transport{tr, one} {
		g := mustNew(t, guard.Options{Transport: tr, AllowLoopbackHTTP: true})
		_, f := g.Do(t.Context(), get(s.URL))
		wantFailure(t, f, guard.ClassLost, rules.NetSizeLimit, true)
	}
}

// elsewhere is a connection whose far end is said to have another address.
type elsewhere struct {
	net.Conn
	addr net.Addr
}

func (e elsewhere) RemoteAddr() net.Addr { return e.addr }

// TestFarEndOfACustomDial: https may lead to a public address, and http, which is for
// loopback alone, may not.
func TestFarEndOfACustomDial(t *testing.T) {
	s, tr := server(t, func(http.ResponseWriter, *http.Request) {})
	tr.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, network, s.Listener.Addr().String())
		return elsewhere{c, &net.TCPAddr{IP: net.IPv4(8, 8, 8, 8), Port: 443}}, err
	}
	g := mustNew(t, guard.Options{Transport: tr, AllowLoopbackHTTP: true})
	if _, f := g.Do(t.Context(), get("https://example.com/")); f != nil {
		t.Errorf("https: %v", f)
	}
	_, f := g.Do(t.Context(), get("http://localhost/"))
	wantFailure(t, f, guard.ClassBlocked, rules.URLLoopbackException, false)
}

// TestLoopbackInATunnel: where loopback is accepted, an address that only carries it is not.
func TestLoopbackInATunnel(t *testing.T) {
	g := mustNew(t, guard.Options{Dialer: dialerFor(&dns{})})
	for url, ok := range map[string]bool{
		"https://127.0.0.1/": true, "https://[::1]/": true, "https://[::ffff:127.0.0.1]/": true, "https://[64:ff9b::7f00:1]/": false, "https://[2002:7f00:1::1]/": false,
	} {
		if f := g.CheckVisit(t.Context(), url, true); (f == nil) != ok {
			t.Errorf("%s: %v", url, f)
		}
	}
}
