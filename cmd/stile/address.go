package main

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

// wrongAddress adds to a failure about the address of a server what the user
// probably meant; other failures stay as they are.
func wrongAddress(given string, f *failure) error {
	if meant := meantAddress(given); meant != "" {
		f.says, f.advice = "the address "+given+" has no scheme", "did you mean "+meant+"?"
	}
	return f
}

// meantAddress completes an address that was typed without its scheme; "" if it
// is something else.
func meantAddress(given string) string {
	if strings.Contains(given, "://") || wire.Clean(given, 300) != given || strings.ContainsAny(given, " @\\") {
		return ""
	}
	u, err := url.Parse("https://" + given)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	if isLoopback(u.Hostname()) {
		return "http://" + given
	}
	if !strings.Contains(u.Hostname(), ".") {
		return "" // a word, not a host
	}
	return u.String()
}

// isLoopback reports whether a host is this machine.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// schemeTime bounds the look at how a server speaks.
const schemeTime = 3 * time.Second

// speaksHTTP reports whether a server at an https address of this machine
// answers to http. It asks only there: what is elsewhere must use https.
func speaksHTTP(ctx context.Context, server string) bool {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "https" || !isLoopback(u.Hostname()) {
		return false
	}
	u.Scheme = "http"
	ctx, cancel := context.WithTimeout(ctx, schemeTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, u.String(), nil)
	if err != nil {
		return false
	}
	c := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := c.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	// A server of TLS answers a request in the clear with 400.
	return resp.StatusCode != http.StatusBadRequest
}
