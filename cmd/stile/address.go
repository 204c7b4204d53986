package main

import (
	"errors"
	"net"
	"net/url"
	"strings"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// wrongAddress adds to a failure about the address of a server what the user
// probably meant; other failures stay as they are.
func wrongAddress(given string, f *failure) error {
	if meant := meantAddress(given); meant != "" {
		f.says, f.advice = "the address "+given+" has no scheme", "did you mean "+meant+"?"
	}
	var field *fsm.FieldError
	var bad *wire.Problem
	if rest, ok := strings.CutPrefix(given, "http://"); ok && errors.As(f.err, &field) && field.Field == "Server" && errors.As(f.err, &bad) && bad.Rule == rules.URLHTTPS && wire.Clean(given, 300) == given {
		f.says, f.rule = "the address "+given+" is http, and tokens do not go over http except on this machine", bad.Rule
		f.advice = "did you mean https://" + rest + "?"
	}
	return f
}

// canonicalServer reads the address of a server that the user gave.
func canonicalServer(given string) (wire.URL, error) {
	u, err := wire.CanonicalServer(given)
	if err == nil {
		return u, nil
	}
	f := &failure{code: exitUsage, err: err, advice: "give the server's own address, for example https://mcp.example/mcp"}
	if bad := (*wire.Problem)(nil); errors.As(err, &bad) {
		f.says, f.rule = bad.Detail, bad.Rule
	}
	return u, wrongAddress(given, f)
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
