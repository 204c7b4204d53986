package loopback

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/stile-oauth/stile/states/wire"
)

// target reads the options into a URL; fixed says that the port is the
// caller's and no other will do.
func target(o Options) (u *url.URL, fixed bool, err error) {
	if o.RedirectURI != "" {
		if p := wire.CheckURL(onePort(o.RedirectURI), wire.URLPolicy{AllowLoopbackHTTP: true}); p != nil {
			return nil, false, fmt.Errorf("loopback: RedirectURI: %w", p)
		}
		if !wire.IsLoopbackHTTP(onePort(o.RedirectURI)) {
			return nil, false, errors.New("loopback: RedirectURI is not http on 127.0.0.1, [::1] or localhost (authz-req-redirect-form)")
		}
		u, err = url.Parse(o.RedirectURI)
		return u, true, err
	}
	host, path := o.Host, o.Path
	if host == "" {
		host = "127.0.0.1"
	}
	if path == "" {
		path = "/callback"
	}
	if host == "::1" {
		host = "[::1]"
	}
	if strings.ContainsAny(path, "?#") || !strings.HasPrefix(path, "/") {
		return nil, false, fmt.Errorf("loopback: Path %q is not an absolute path", path)
	}
	raw := "http://" + host + ":0" + path
	if !wire.IsLoopbackHTTP(onePort(raw)) {
		return nil, false, fmt.Errorf("loopback: Host %q is not 127.0.0.1, [::1] or localhost", o.Host)
	}
	if o.PreferPort < 0 || o.PreferPort > 65535 {
		return nil, false, fmt.Errorf("loopback: PreferPort %d is no port", o.PreferPort)
	}
	u, err = url.Parse(raw)
	return u, false, err
}

// onePort replaces port 0 by a real one: here 0 means "any free one", but in a
// URL that somebody is to visit it means nothing.
func onePort(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Port() != "0" {
		return raw
	}
	return strings.Replace(raw, u.Host, strings.TrimSuffix(u.Host, "0")+"1", 1)
}

// bind listens on the addresses of the host, on one port. A name is bound on
// both families, so that no other program can answer for it on the second.
func bind(host string, port int, must bool) ([]net.Listener, int, error) {
	addrs := []string{host}
	if _, err := netip.ParseAddr(host); err != nil {
		addrs = []string{"127.0.0.1", "::1"}
	}
	if len(addrs) == 2 && !haveIPv6Loopback() {
		addrs = addrs[:1]
	}
	var last error
	for range 8 {
		ls, got, err := bindAll(addrs, port)
		if err == nil {
			return ls, got, nil
		}
		last = err
		if must {
			return nil, 0, &PortError{Port: port, Addr: host, Err: err}
		}
		port = 0 // the preferred one is taken
	}
	return nil, 0, fmt.Errorf("loopback: no port can be bound on %s: %w", host, last)
}

func bindAll(addrs []string, port int) (ls []net.Listener, got int, err error) {
	got = port
	for _, a := range addrs {
		var lc net.ListenConfig
		l, err := lc.Listen(context.Background(), "tcp", net.JoinHostPort(a, strconv.Itoa(got)))
		if err != nil {
			for _, l := range ls {
				_ = l.Close()
			}
			return nil, 0, err
		}
		got = l.Addr().(*net.TCPAddr).Port
		ls = append(ls, l)
	}
	return ls, got, nil
}

func haveIPv6Loopback() bool {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp6", "[::1]:0")
	if err != nil {
		return false
	}
	return l.Close() == nil
}
