package bearer

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// maxAnswer bounds what is read of an authorization server's answer.
const maxAnswer = 256 << 10

// secure checks an endpoint that receives tokens or gives keys: it must be https, or http
// on a loopback address, judged by the parsed host.
func secure(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("bearer: %q is not an absolute URL without userinfo and fragment", raw)
	}
	if u.Scheme == "https" {
		return nil
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if u.Scheme == "http" && (strings.EqualFold(u.Hostname(), "localhost") || err == nil && ip.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("bearer: %q is neither https nor http on loopback", raw)
}

// noRedirects copies a client so that it follows no redirects (net-redirect-post) and
// keeps no cookies. A nil client gets a transport of its own, so that its connections are
// reused.
func noRedirects(c *http.Client) *http.Client {
	out := http.Client{}
	if c != nil {
		out = *c
	} else if t, ok := http.DefaultTransport.(*http.Transport); ok {
		t = t.Clone()
		t.MaxIdleConnsPerHost = 16
		out.Transport = t
	}
	out.Jar = nil
	out.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &out
}

// read reads a body up to a limit and closes it.
func read(resp *http.Response) ([]byte, error) {
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxAnswer {
		return nil, errors.New("the answer is too large")
	}
	return body, nil
}

// unavailable hides what an HTTP client's error may quote.
func unavailable(what string) error { return fmt.Errorf("%w: %s", ErrUnavailable, what) }

// address is a URL as an error may show it, without its query.
func address(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "its address"
	}
	return u.Scheme + "://" + u.Host + u.EscapedPath()
}

// reason is an error of an HTTP client without the URL that it quotes.
func reason(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return err.Error()
}

// instant reads a NumericDate (RFC 7519 §2); fractions are cut.
func instant(n *float64) (time.Time, bool) {
	if n == nil {
		return time.Time{}, true
	}
	if !(*n >= 0 && *n < 1e11) {
		return time.Time{}, false
	}
	return time.Unix(int64(*n), 0).UTC(), true
}
