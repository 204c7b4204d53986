package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

// No error names a field or an option of the library where its user has a flag.
func TestErrorsNameFlags(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	faulty := func(faults ...string) string {
		_, server := peers(t, func(c *devas.ASConfig) { c.Faults = faults }, nil)
		return server
	}
	_, unregistered := peers(t, func(c *devas.ASConfig) { c.DCR, c.CIMD = false, false }, nil)
	good := faulty()
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	defer untrusted.Close()
	library := regexp.MustCompile(`\bfield |\b(Redirects|CIMD|RedirectURI|AllowPrivate|InitialToken|Options\.|Config\.)|(httpdriver|loopback|guard|devas|peer|open): `)
	for _, x := range []struct {
		args string
		code int
		says string
	}{
		{"login nonsense", exitUsage, "URL is not absolute"},
		{"login --revision 2024-01-01 " + good, exitUsage, `--revision: "2024-01-01" is not one of`},
		{"login --redirect-uri http://example.com/callback " + good, exitUsage, "--redirect-uri: "},
		{"login --redirect-uri ftp://127.0.0.1/callback " + good, exitUsage, "--redirect-uri: "},
		{"login --client-metadata https://example.com " + good, exitUsage, "--client-metadata: "},
		{"login --issuer http://example.com " + good, exitUsage, "--issuer: "},
		{"login --quirk no-such " + good, exitUsage, "--quirk: "},
		{"login --allow-private ??? " + good, exitUsage, "--allow-private: "},
		{"login --store nonsense " + good, exitUsage, "a store is one of file"},
		{"login --redirect-uri http://" + taken.Addr().String() + "/callback " + good, exitUsage, "--redirect-uri: port"},
		{"login " + unregistered, exitUsage, "--client-id ID --issuer ISSUER"},
		{"login " + faulty("asm-no-pkce"), exitPeer, "--quirk assume-s256"},
		{"login " + faulty("asm-issuer-mismatch"), exitPeer, "--quirk issuer-alias=ONE,OTHER"},
		{"login " + faulty("error-invalid-target"), exitPeer, "--quirk omit-resource"},
		{"login --again --allow-private 127.0.0.1 " + untrusted.URL, exitPeer, "--ca-bundle FILE"},
		{"login --timeout 50ms --no-browser " + good, exitLogin, "--timeout"},
		{"serve as --port 0 --issuer nonsense", exitUsage, "nonsense"},
	} {
		t.Run(x.args, func(t *testing.T) {
			r := newCLI(t).run(strings.Fields(x.args)...)
			if r.code != x.code && (x.code != exitPeer || r.code != exitNetwork) {
				t.Errorf("exit status %d, want %d", r.code, x.code)
			}
			contains(t, r.err, "error: ", x.says)
			if w := library.FindString(r.err); w != "" {
				t.Errorf("%q is a word of the library:\n%s", w, r.err)
			}
		})
	}
}

// An https redirect URI is somebody else's address: nothing can listen for it
// here, so the user pastes the address where the browser ended, even if this
// command opened the browser.
func TestHTTPSRedirect(t *testing.T) {
	const redirect = "https://app.example/callback?from=stile"
	_, server := peers(t, nil, nil)
	for _, flags := range [][]string{nil, {"--no-browser"}} {
		c := newCLI(t)
		fromCommand, toUser := io.Pipe()
		toCommand, fromUser := io.Pipe()
		c.in = toCommand
		c.browse = func(context.Context, string) error { return nil }
		elsewhere := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		said := make(chan string, 1)
		go func() {
			all := ""
			for lines := bufio.NewScanner(fromCommand); lines.Scan(); {
				all += lines.Text() + "\n"
				if at := strings.TrimSpace(lines.Text()); strings.HasPrefix(at, "http") && strings.Contains(at, "/authorize?") {
					resp, err := elsewhere.Get(at)
					if err != nil {
						t.Error(err)
						break
					}
					_ = resp.Body.Close()
					location := resp.Header.Get("Location")
					if !strings.HasPrefix(location, redirect) {
						t.Errorf("the user ends at %s", location)
					}
					go func() { _, _ = io.WriteString(fromUser, location+"\n") }()
				}
			}
			said <- all
		}()
		var out lockedBuffer
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		code := run(ctx, append([]string{"login", server, "--redirect-uri", redirect}, flags...), c.app(&out, toUser))
		_ = toUser.Close()
		all := <-said
		if code != exitOK {
			t.Fatalf("exit status %d: %s%s", code, out.String(), all)
		}
		contains(t, all, "It begins with "+redirect, "paste it here")
	}
}
