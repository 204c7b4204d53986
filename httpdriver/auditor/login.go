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
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver/loopback"
	"github.com/stile-oauth/stile/states/wire"
)

// Browser lets a user answer one authorization request and gives the address
// that they came back to.
type Browser func(ctx context.Context, authorize string) (callback string, err error)

// Seed draws the random seed of an audit's logins.
func Seed() wire.Secret {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // it never fails
	return wire.Secret(base64.RawURLEncoding.EncodeToString(b))
}

// Receive is a Browser for a user at this computer: open shows the address, and the
// receiver waits for the answer.
func Receive(r *loopback.Receiver, open func(ctx context.Context, url string) error) Browser {
	return func(ctx context.Context, authorize string) (string, error) {
		if err := open(ctx, authorize); err != nil {
			return "", err
		}
		callback, reply, err := r.Wait(ctx)
		if err != nil {
			return "", err
		}
		reply(loopback.Page{OK: true, Title: "The audit has the answer", Message: "You can close this page."})
		return callback, nil
	}
}

// AsUser is a Browser that plays a user of a development server: it fills the
// first form of each page with name and password, and consents. It keeps to
// loopback.
func AsUser(name, password, redirect string) Browser {
	return func(ctx context.Context, authorize string) (string, error) {
		jar, err := cookiejar.New(nil)
		if err != nil {
			return "", err
		}
		client := &http.Client{Jar: jar, Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		defer client.CloseIdleConnections()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, authorize, nil)
		if err != nil {
			return "", err
		}
		for range 8 {
			if !wire.IsLoopbackHTTP(req.URL.String()) {
				return "", errors.New("a user is played at servers of this machine only")
			}
			req.Header.Set("User-Agent", "Mozilla/5.0 (stile-audit)")
			resp, err := client.Do(req)
			if err != nil {
				return "", err
			}
			body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
			_ = resp.Body.Close()
			if next, err := resp.Location(); err == nil {
				if strings.HasPrefix(next.String(), redirect) {
					return next.String(), nil
				}
				if req, err = http.NewRequestWithContext(ctx, http.MethodGet, next.String(), nil); err != nil {
					return "", err
				}
				continue
			}
			if req, err = fill(ctx, resp.Request.URL, string(body), name, password); err != nil {
				return "", err
			}
		}
		return "", errors.New("the login pages lead nowhere")
	}
}

var (
	formTag   = regexp.MustCompile(`(?is)<form\b([^>]*)>(.*?)</form>`)
	inputTag  = regexp.MustCompile(`(?is)<(?:input|button)\b([^>]*)>`)
	attribute = regexp.MustCompile(`(?is)\b(action|name|value|type)\s*=\s*"([^"]*)"`)
)

// fill answers the first form of a page.
func fill(ctx context.Context, at *url.URL, page, name, password string) (*http.Request, error) {
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
			form.Set(a["name"], password)
		case a["name"] == "username":
			form.Set(a["name"], name)
		case a["type"] == "submit" || a["type"] == "" && a["value"] != "":
			if !pressed { // the first button consents
				form.Set(a["name"], a["value"])
				pressed = true
			}
		default:
			form.Set(a["name"], a["value"])
		}
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
func (r *run) visit(ctx context.Context, x *audit.Exchange) {
	if r.Browser == nil {
		x.Failure = "nobody is there to log in"
		return
	}
	ctx, cancel := context.WithTimeout(ctx, userTime)
	defer cancel()
	x.Sent = x.Request.URL
	callback, err := r.Browser(ctx, x.Request.URL)
	if err != nil {
		x.Failure = "the login was not finished: " + wire.Clean(err.Error(), 200)
		return
	}
	x.Request = wire.Request{Method: http.MethodGet, URL: callback}
}

// userTime is how long one login may take.
const userTime = 5 * time.Minute
