package guard

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Call is one exchange to carry out.
type Call struct {
	Request wire.Request
	// Timeout bounds the whole exchange, redirects and body included, from when it
	// has a connection; 0: 15 s. Making a connection may take as long again. An
	// exchange that waits until other requests leave it a connection has sent
	// nothing, and waits for a minute at most.
	Timeout time.Duration
	// Until, when set, is when the exchange is over in any case.
	Until time.Time
	// MaxBody bounds the body after decompression; 0: 1 MiB. What is longer
	// is cut there, and Response.Oversized says so (net-size-limit).
	MaxBody int64
	// SameOriginHops is how many redirects a GET may follow, three at most;
	// other methods follow none (net-redirect-get, net-redirect-post).
	SameOriginHops int
	// Loopback accepts http to loopback and loopback addresses for this call.
	Loopback bool
	// Late, when set, is asked at the last moment before the request leaves;
	// true means that it must not. A process may have been stopped since the
	// caller looked at its clock.
	Late func() bool
}

// Do carries the exchange out. Any HTTP answer is a Response, even an error
// status or a redirect that may not be followed; an Error means that there
// is no answer. Response headers come sorted by name, without Set-Cookie.
func (g *Guard) Do(ctx context.Context, c Call) (wire.Response, *Error) {
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p := &progress{sticky: redirectable(c.Request.Method), timeout: c.Timeout, until: c.Until}
	p.limit = time.AfterFunc(p.left(waitTimeout), func() { cancel(errDeadline) })
	defer p.limit.Stop()
	if c.MaxBody <= 0 {
		c.MaxBody = defaultBody
	}
	hops := 0
	if redirectable(c.Request.Method) {
		hops = min(c.SameOriginHops, maxHops)
	}
	ctx = httptrace.WithClientTrace(ctx, p.trace())
	target := c.Request.URL
	for hop := 0; ; hop++ {
		resp, at, f := g.once(ctx, c, target, hop > 0, p)
		if f != nil {
			return wire.Response{}, f
		}
		next := g.next(at, resp)
		if next == "" || hop >= hops {
			if next != "" && hops > 0 {
				g.log.Debug("redirect not followed: too many", "rule", rules.NetRedirectGet, "host", at.Host)
			}
			return resp, nil
		}
		target = next
	}
}

// once makes one hop.
func (g *Guard) once(ctx context.Context, c Call, target string, redirected bool, p *progress) (wire.Response, *url.URL, *Error) {
	lv := g.level(c.Loopback)
	// The text is judged before the parser below has normalised anything.
	if f := urlPolicy(target, lv); f != nil {
		f.Sent, _ = p.state()
		return wire.Response{}, nil, f
	}
	rt := &route{}
	r, f := g.build(context.WithValue(ctx, routeKey{}, rt), c.Request, target, redirected)
	if f == nil {
		f = g.decide(r, lv, rt)
	}
	if f != nil {
		f.Sent, _ = p.state()
		return wire.Response{}, nil, f
	}
	if f := c.guardTime(r); f != nil {
		return wire.Response{}, nil, f
	}
	host := r.URL.Hostname()
	resp, err := g.trips[lv].RoundTrip(r)
	if err != nil {
		return wire.Response{}, nil, classify(ctx, err, host, p)
	}
	p.answered()
	defer resp.Body.Close()
	if resp.TLS != nil && resp.TLS.Version < tls.VersionTLS12 {
		return wire.Response{}, nil, &Error{Class: ClassTLS, Sent: true, Rule: rules.NetTLSVerify, Detail: host + ": TLS older than 1.2"}
	}
	if resp.StatusCode < 200 || resp.StatusCode > 999 { // net/http lets "+00" pass
		return wire.Response{}, nil, &Error{Class: ClassLost, Sent: true, Detail: host + " answered with a status that ends no exchange"}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.MaxBody+1))
	out := wire.Response{Status: resp.StatusCode, Header: fields(resp.Header), Body: body}
	if int64(len(body)) > c.MaxBody {
		out.Body, out.Oversized = body[:c.MaxBody:c.MaxBody], true
		err = nil
	}
	if err != nil {
		return wire.Response{}, nil, classify(ctx, err, host, p)
	}
	return out, r.URL, nil
}

// build makes the request of one hop. A hop that a redirect asked for carries
// no credential.
func (g *Guard) build(ctx context.Context, d wire.Request, target string, redirected bool) (*http.Request, *Error) {
	var body io.Reader
	ctype := ""
	switch {
	case d.Form != nil:
		body, ctype = strings.NewReader(wire.EncodeForm(d.Form)), "application/x-www-form-urlencoded"
	case d.Body != nil:
		body = bytes.NewReader(d.Body)
	}
	r, err := http.NewRequestWithContext(ctx, d.Method, target, body)
	if err != nil {
		return nil, blocked(rules.URLParseStrict, "the request cannot be built: its method or URL is malformed")
	}
	// A request with secrets leaves no connection behind, because net/http prints
	// what a server sends on an idle one to the standard logger (net-no-error-leak).
	r.Close = !redirectable(d.Method)
	for _, h := range d.Header {
		if strings.EqualFold(h.Name, "Cookie") || redirected && (h.Secret || credential(h.Name)) {
			continue // net-no-cookies
		}
		r.Header.Add(h.Name, h.Value)
	}
	if ctype != "" && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", ctype)
	}
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", g.opt.UserAgent)
	}
	return r, nil
}

// guardTime asks Late when the transport reads the body, because the transport
// then has a connection and is about to write. A server cannot act on the head
// alone: its length says that a body must follow.
func (c Call) guardTime(r *http.Request) *Error {
	if c.Late == nil {
		return nil
	}
	if c.Late() {
		return late()
	}
	if r.Body == nil {
		return nil
	}
	again := r.GetBody
	r.Body = &timely{ReadCloser: r.Body, late: c.Late}
	r.GetBody = func() (io.ReadCloser, error) {
		b, err := again()
		return &timely{ReadCloser: b, late: c.Late}, err
	}
	return nil
}

// timely asks once: what was read has left, and can no longer be held back.
type timely struct {
	io.ReadCloser
	late func() bool
	read bool
}

func (t *timely) Read(b []byte) (int, error) {
	if !t.read && t.late() {
		return 0, late()
	}
	t.read = true
	return t.ReadCloser.Read(b)
}

func late() *Error {
	return &Error{Class: ClassLate, Detail: "the time for it had passed; nothing was sent"}
}

func credential(name string) bool {
	switch strings.ToLower(name) {
	case "authorization", "proxy-authorization", "dpop":
		return true
	}
	return false
}

// fields orders a header so that equal answers are equal values. Cookies are
// ambient authority and are dropped (net-no-cookies).
func fields(h http.Header) wire.Fields {
	names, size := make([]string, 0, 16), 0
	for n, values := range h {
		if n != "Set-Cookie" && n != "Set-Cookie2" {
			names, size = append(names, n), size+len(values)
		}
	}
	if size == 0 {
		return nil
	}
	slices.Sort(names)
	out := make(wire.Fields, 0, size)
	for _, n := range names {
		for _, v := range h[n] {
			out = append(out, wire.Field{Name: n, Value: v})
		}
	}
	return out
}

func redirectable(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == ""
}

// next is where an answer redirects to, if that is within the origin.
func (g *Guard) next(at *url.URL, resp wire.Response) string {
	switch resp.Status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return ""
	}
	locs := resp.Header.Header("Location")
	if len(locs) != 1 {
		return ""
	}
	u, err := at.Parse(locs[0])
	if err != nil || !sameOrigin(at, u) {
		g.log.Debug("redirect not followed: another origin", "rule", rules.NetRedirectGet, "host", at.Host)
		return ""
	}
	u.Fragment, u.RawFragment = "", ""
	return u.String()
}

// sameOrigin compares scheme, host and port (RFC 6454 §4).
func sameOrigin(a, b *url.URL) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"https": "443", "http": "80"}[strings.ToLower(u.Scheme)]
}

// String shows the call without its secrets.
func (c Call) String() string {
	return fmt.Sprintf("%v timeout=%v maxbody=%d hops=%d loopback=%t", c.Request, c.Timeout, c.MaxBody, c.SameOriginHops, c.Loopback)
}
