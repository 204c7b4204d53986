package main

import (
	"net"
	"net/url"
	"strings"

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
