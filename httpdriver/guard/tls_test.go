package guard_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/rules"
)

func TestTLS(t *testing.T) {
	s, tr := server(t, func(http.ResponseWriter, *http.Request) { t.Error("reached") })
	strange := tr.Clone()
	strange.TLSClientConfig.RootCAs = nil
	_, f := mustNew(t, guard.Options{Transport: strange, AllowLoopbackHTTP: true}).Do(context.Background(), post(s.URL))
	wantFailure(t, f, guard.ClassTLS, rules.NetTLSVerify, false)

	var d dns
	d.set("wrong.test", "127.0.0.1")
	g := mustNew(t, guard.Options{Transport: tr, Dialer: dialerFor(&d), AllowLoopbackHTTP: true})
	port := itoa(s.Listener.Addr().(*net.TCPAddr).Port)
	_, f = g.Do(context.Background(), post("https://wrong.test:"+port+"/"))
	wantFailure(t, f, guard.ClassTLS, rules.NetTLSVerify, false)

	old := httptest.NewUnstartedServer(s.Config.Handler)
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.Config.ErrorLog = discard
	old.StartTLS()
	defer old.Close()
	lax := old.Client().Transport.(*http.Transport).Clone()
	lax.TLSClientConfig.MinVersion = tls.VersionTLS10
	_, f = mustNew(t, guard.Options{Transport: lax, AllowLoopbackHTTP: true}).Do(context.Background(), post(old.URL))
	wantFailure(t, f, guard.ClassTLS, rules.NetTLSVerify, false)

	plain := httptest.NewServer(s.Config.Handler)
	defer plain.Close()
	_, f = g.Do(context.Background(), post(strings.Replace(plain.URL, "http:", "https:", 1)))
	wantFailure(t, f, guard.ClassTLS, rules.NetTLSVerify, false)
}

func TestNewRefuses(t *testing.T) {
	dial := func(context.Context, string, string) (net.Conn, error) { return nil, io.EOF }
	for name, tr := range map[string]*http.Transport{
		"no verification": {TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		"old TLS only":    {TLSClientConfig: &tls.Config{MaxVersion: tls.VersionTLS11}},
		"own TLS dialer":  {DialTLSContext: dial},
		"deprecated dial": {Dial: func(string, string) (net.Conn, error) { return nil, io.EOF }},
	} {
		if _, err := guard.New(guard.Options{Transport: tr}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	//lint:ignore SA1019 what is deprecated is given by some callers
	//nolint:staticcheck // SA1019: the same, for golangci-lint
	both := &http.Transport{Dial: func(string, string) (net.Conn, error) { return nil, io.EOF }, DialContext: dial}
	if _, err := guard.New(guard.Options{Transport: both}); err != nil {
		t.Errorf("a deprecated dial that DialContext replaces: %v", err)
	}
}
