package auditor

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver/loopback"
	"github.com/stile-oauth/stile/states/wire"
)

// Visit is one authorization request that a user is to answer.
type Visit struct {
	URL    string
	Manner audit.Manner
	Look   []string // what the page that asks the user should show
}

// Arrival is how a visit ended: at the address that the user came back to, or at a page
// that waits for the user. Page says that this page was read, and Lacks what it does
// not show.
type Arrival struct {
	Callback    string
	Waits, Page bool
	Lacks       []string
}

// Browser lets a user answer one authorization request.
type Browser func(ctx context.Context, v Visit) (Arrival, error)

// Person is a user who is played.
type Person struct{ Name, Password string }

// Seed draws the random seed of an audit's logins.
func Seed() wire.Secret {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // it never fails
	return wire.Secret(base64.RawURLEncoding.EncodeToString(b))
}

// IdleTime is how long a page may take that sends a user on without asking.
const IdleTime = 20 * time.Second

// Receive is a Browser for a user at this computer: open shows the address and says what
// to do there, and the receiver waits for the answer; at a page that nobody touches, for
// idle at most.
func Receive(r *loopback.Receiver, idle time.Duration, open func(ctx context.Context, v Visit) error) Browser {
	left := map[string]bool{} // the states of pages that were left open
	return func(ctx context.Context, v Visit) (Arrival, error) {
		if err := open(ctx, v); err != nil {
			return Arrival{}, err
		}
		wait := ctx
		if v.Manner == audit.Idle {
			var cancel context.CancelFunc
			wait, cancel = context.WithTimeout(ctx, idle)
			defer cancel()
		}
		for {
			callback, reply, err := r.Wait(wait)
			if err != nil && v.Manner == audit.Idle && ctx.Err() == nil && wait.Err() != nil {
				left[stateOf(v.URL)] = true
				return Arrival{Waits: true}, nil
			}
			if err != nil {
				return Arrival{}, err
			}
			if state := stateOf(callback); state != "" && left[state] {
				reply(loopback.Page{Title: "This page came too late", Message: "The audit did not wait for it. You can close this page."})
				continue
			}
			reply(loopback.Page{OK: true, Title: "The audit has the answer", Message: "You can close this page."})
			return Arrival{Callback: callback}, nil
		}
	}
}

func stateOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Query().Get("state")
}

// AsUser is a Browser that plays a user of a development server: it fills the first form
// of each page with name and password, and consents, denies or waits. It keeps its
// cookies, and to loopback. others are the users who come when another one is to.
func AsUser(name, password, redirect string, others ...Person) Browser {
	jars := map[Person]http.CookieJar{}
	return func(ctx context.Context, v Visit) (Arrival, error) {
		p := player{who: Person{name, password}, Visit: v}
		if v.Manner == audit.Another {
			if len(others) == 0 {
				return Arrival{}, errors.New("there is no second user")
			}
			p.who = others[0]
		}
		if jars[p.who] == nil {
			jar, err := cookiejar.New(nil)
			if err != nil {
				return Arrival{}, err
			}
			jars[p.who] = jar
		}
		client := &http.Client{Jar: jars[p.who], Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		defer client.CloseIdleConnections()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.URL, nil)
		if err != nil {
			return Arrival{}, err
		}
		asked := false // for a password
		for range 8 {
			if !wire.IsLoopbackHTTP(req.URL.String()) {
				return Arrival{}, errors.New("a user is played at servers of this machine only")
			}
			req.Header.Set("User-Agent", "Mozilla/5.0 (stile-audit)")
			resp, err := client.Do(req)
			if err != nil {
				return Arrival{}, err
			}
			body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
			_ = resp.Body.Close()
			if next, err := resp.Location(); err == nil {
				if strings.HasPrefix(next.String(), redirect) {
					return Arrival{Callback: next.String(), Waits: asked && v.Manner == audit.Idle}, nil
				}
				if req, err = http.NewRequestWithContext(ctx, http.MethodGet, next.String(), nil); err != nil {
					return Arrival{}, err
				}
				continue
			}
			if v.Manner == audit.Idle && !passwordTag.Match(body) && formTag.Match(body) {
				return Arrival{Waits: true, Page: true, Lacks: missing(string(body), v.Look)}, nil
			}
			asked = asked || passwordTag.Match(body)
			if req, err = p.fill(ctx, resp.Request.URL, string(body)); err != nil {
				return Arrival{}, err
			}
		}
		return Arrival{}, errors.New("the login pages lead nowhere")
	}
}

// missing lists what a page does not show.
func missing(page string, look []string) []string {
	page = html.UnescapeString(page)
	return slices.DeleteFunc(slices.Clone(look), func(s string) bool { return strings.Contains(page, s) })
}

var (
	formTag     = regexp.MustCompile(`(?is)<form\b([^>]*)>(.*?)</form>`)
	inputTag    = regexp.MustCompile(`(?is)<(?:input|button)\b([^>]*)>`)
	passwordTag = regexp.MustCompile(`(?i)<input\b[^>]*type\s*=\s*"?password`)
	denying     = regexp.MustCompile(`(?i)deny|denied|reject|refuse|decline|cancel|abort`)
	attribute   = regexp.MustCompile(`(?is)\b(action|name|value|type)\s*=\s*"([^"]*)"`)
)

// player is a user who is played.
type player struct {
	who Person
	Visit
}

// fill answers the first form of a page.
func (p player) fill(ctx context.Context, at *url.URL, page string) (*http.Request, error) {
	m := formTag.FindStringSubmatch(page)
	if m == nil {
		return nil, errors.New("the page has no form to fill in")
	}
	action, err := at.Parse(attributes(m[1])["action"])
	if err != nil {
		return nil, err
	}
	form := url.Values{}
	pressed := false
	for _, tag := range inputTag.FindAllStringSubmatch(m[2], -1) {
		a := attributes(tag[1])
		switch {
		case a["name"] == "":
		case a["type"] == "password":
			form.Set(a["name"], p.who.Password)
		case a["name"] == "username":
			form.Set(a["name"], p.who.Name)
		case a["type"] == "submit" || a["type"] == "" && a["value"] != "":
			if p.Manner == audit.Denies && !passwordTag.MatchString(page) && !denying.MatchString(tag[1]) {
				continue
			}
			if !pressed { // the first button consents, if it need not deny
				form.Set(a["name"], a["value"])
				pressed = true
			}
		default:
			form.Set(a["name"], a["value"])
		}
	}
	if p.Manner == audit.Denies && !pressed && !passwordTag.MatchString(page) {
		return nil, errors.New("the page has no button that denies")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, action.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req, nil
}

func attributes(tag string) map[string]string {
	out := map[string]string{}
	for _, m := range attribute.FindAllStringSubmatch(tag, -1) {
		out[strings.ToLower(m[1])] = html.UnescapeString(m[2])
	}
	return out
}

// visit lets the user answer an authorization request.
func (r *run) visit(ctx context.Context, p audit.Probe, x *audit.Exchange) {
	if r.Browser == nil {
		x.Failure = "nobody is there to log in"
		return
	}
	ctx, cancel := context.WithTimeout(ctx, userTime)
	defer cancel()
	x.Sent = x.Request.URL
	a, err := r.Browser(ctx, Visit{URL: x.Request.URL, Manner: p.Manner, Look: p.Look})
	if err != nil {
		x.Failure = "the login was not finished: " + wire.Clean(err.Error(), 200)
		return
	}
	if x.Waits, x.Page, x.Lacks = a.Waits, a.Page, a.Lacks; !a.Waits {
		x.Request = wire.Request{Method: http.MethodGet, URL: a.Callback}
	}
}

// userTime is how long one login may take.
const userTime = 5 * time.Minute
