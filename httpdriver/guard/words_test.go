package guard_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/rules"
)

// TestWordsOfFailures: the ways in which a connection fails are told apart, in our own
// words and never in those of the error, which may quote what a peer wrote.
func TestWordsOfFailures(t *testing.T) {
	refusedBy := func(e error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: e} }
	for _, c := range []struct {
		err         error
		class, says string
		rule        rules.ID
	}{
		{refusedBy(syscall.ECONNREFUSED), guard.ClassUnsent, "no connection to as.test: connection refused", ""},
		{refusedBy(syscall.ENETUNREACH), guard.ClassUnsent, "no connection to as.test: no route", ""},
		{refusedBy(syscall.EHOSTUNREACH), guard.ClassUnsent, "no connection to as.test: no route", ""},
		{refusedBy(syscall.ECONNRESET), guard.ClassUnsent, "no connection to as.test: the connection was closed", ""},
		{refusedBy(syscall.EPIPE), guard.ClassUnsent, "no connection to as.test: the connection was closed", ""},
		{io.ErrUnexpectedEOF, guard.ClassUnsent, "no connection to as.test: the connection was closed", ""},
		{refusedBy(errors.New("s3cret")), guard.ClassUnsent, "no connection to as.test: the connection could not be made", ""},
		{errors.New("s3cret"), guard.ClassUnsent, "no connection to as.test: the connection failed or the answer was not valid HTTP", ""},
		{&net.DNSError{Name: "as.test", Err: "s3cret", IsNotFound: true}, guard.ClassUnsent, "the name as.test does not exist", ""},
		{&net.DNSError{Name: "as.test", Err: "s3cret"}, guard.ClassUnsent, "the name as.test could not be resolved", ""},
		{x509.SystemRootsError{Err: errors.New("s3cret")}, guard.ClassTLS, "as.test: no TLS connection of version 1.2", rules.NetTLSVerify},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, guard.ClassTLS, "signed by an authority that is not trusted here", rules.NetTLSVerify},
		{&tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: "as.test"}}, guard.ClassTLS, "for another name", rules.NetTLSVerify},
		{&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}}, guard.ClassTLS, "has expired or is not yet valid", rules.NetTLSVerify},
		{&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign}}, guard.ClassTLS, "no TLS connection of version 1.2", rules.NetTLSVerify},
		{tls.RecordHeaderError{Msg: "s3cret"}, guard.ClassTLS, "no TLS connection of version 1.2", rules.NetTLSVerify},
		{tls.AlertError(40), guard.ClassTLS, "no TLS connection of version 1.2", rules.NetTLSVerify},
		{http.ErrSchemeMismatch, guard.ClassTLS, "plain HTTP is spoken on the HTTPS port", rules.NetTLSVerify},
	} {
		dial := func(context.Context, string, string) (net.Conn, error) { return nil, c.err }
		g := mustNew(t, guard.Options{Transport: &http.Transport{DialContext: dial}})
		_, f := g.Do(context.Background(), post("https://as.test/x?s3cret"))
		wantFailure(t, f, c.class, c.rule, false)
		if !strings.Contains(f.Detail, c.says) {
			t.Errorf("%v: %q", c.err, f.Detail)
		}
	}
	none := func(context.Context, string, string) (net.Conn, error) { return nil, nil }
	_, f := mustNew(t, guard.Options{Transport: &http.Transport{DialContext: none}}).Do(context.Background(), post("https://as.test/"))
	if f == nil || f.Sent {
		t.Errorf("a dialler that gives nothing: %v", f)
	}
	broken := func(*http.Request) (*url.URL, error) { return nil, errors.New("s3cret") }
	_, f = mustNew(t, guard.Options{Transport: &http.Transport{Proxy: broken}}).Do(context.Background(), post("https://as.test/"))
	wantFailure(t, f, guard.ClassUnsent, "", false)
	c := post("https://as.test/")
	c.Request.Method = "PO ST"
	_, f = mustNew(t, guard.Options{}).Do(context.Background(), c)
	wantFailure(t, f, guard.ClassBlocked, rules.URLParseStrict, false)
}

// TestClientSizes: the client gives a body of a megabyte whole, and none that is
// longer.
func TestClientSizes(t *testing.T) {
	size := 0
	s, tr := server(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, size)) })
	hc := mustNew(t, guard.Options{Transport: tr, AllowLoopbackHTTP: true}).Client()
	for _, c := range []struct {
		size int
		ok   bool
	}{{0, true}, {1<<20 - 1, true}, {1 << 20, true}, {1<<20 + 1, false}, {1<<20 + 2, false}} {
		size = c.size
		resp, err := hc.Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if (err == nil) != c.ok || c.ok && len(b) != c.size {
			t.Errorf("%d bytes: %d, %v", c.size, len(b), err)
		}
	}
}

// TestOneLocation: an answer with two addresses to go to is followed to neither,
// and no cookies are reported.
func TestOneLocation(t *testing.T) {
	s, tr := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie2", "sid=s3cret")
		if r.URL.Path == "/" {
			w.Header().Add("Location", "/a")
			w.Header().Add("Location", "/b")
			w.WriteHeader(http.StatusFound)
		}
	})
	resp, f := mustNew(t, guard.Options{Transport: tr, AllowLoopbackHTTP: true}).Do(context.Background(), get(s.URL+"/"))
	if f != nil || resp.Status != http.StatusFound || len(resp.Header.Header("Set-Cookie2")) > 0 {
		t.Errorf("%v %v", resp, f)
	}
}
