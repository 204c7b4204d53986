package guard_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// TestTextOfAnAddress: an address is judged as it is written. What a parser would mend is
// refused, and nothing is sent.
func TestTextOfAnAddress(t *testing.T) {
	s, tr := server(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s arrived", r.URL) })
	g := mustNew(t, guard.Options{Transport: tr, AllowLoopbackHTTP: true})
	for _, path := range []string{"/a b", "/a\"b", "/<a>", "/ä"} {
		_, f := g.Do(t.Context(), get(s.URL+path))
		wantFailure(t, f, guard.ClassBlocked, rules.URLParseStrict, false)
	}
}

// TestContentTypeOfAForm: a form says that it is one, unless the request says what it is.
func TestContentTypeOfAForm(t *testing.T) {
	var kinds []string
	s, tr := server(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		kinds = append(kinds, r.Header["Content-Type"]...)
	})
	g := mustNew(t, guard.Options{Transport: tr, AllowLoopbackHTTP: true})
	for _, given := range []string{"", "application/x-www-form-urlencoded; charset=utf-8"} {
		kinds = nil
		c, want := post(s.URL), "application/x-www-form-urlencoded"
		if given != "" {
			c.Request.Header, want = wire.Fields{{Name: "Content-Type", Value: given}}, given
		}
		if _, f := g.Do(t.Context(), c); f != nil || len(kinds) != 1 || kinds[0] != want {
			t.Errorf("%q: sent as %q, %v", given, kinds, f)
		}
	}
}

// TestHTTP2WithAnyTransport: the guard dials by itself, and speaks HTTP/2 nevertheless.
func TestHTTP2WithAnyTransport(t *testing.T) {
	protocol := 0
	s, tr := server(t, func(_ http.ResponseWriter, r *http.Request) { protocol = r.ProtoMajor })
	config := tr.TLSClientConfig.Clone()
	config.NextProtos = nil
	g := mustNew(t, guard.Options{Transport: &http.Transport{TLSClientConfig: config}, AllowLoopbackHTTP: true})
	if _, f := g.Do(t.Context(), get(s.URL)); f != nil || protocol != 2 {
		t.Errorf("HTTP/%d, %v", protocol, f)
	}
}

// TestTextOfAnError: an error shows what it has.
func TestTextOfAnError(t *testing.T) {
	for want, f := range map[string]*guard.Error{
		"lost":                     {Class: guard.ClassLost},
		"lost: why":                {Class: guard.ClassLost, Detail: "why"},
		"timeout (net-timeout)":    {Class: guard.ClassTimeout, Rule: rules.NetTimeout},
		"timeout (net-timeout): x": {Class: guard.ClassTimeout, Rule: rules.NetTimeout, Detail: "x"},
	} {
		if f.Error() != want {
			t.Errorf("%q, not %q", f.Error(), want)
		}
	}
}
