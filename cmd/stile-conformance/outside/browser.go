package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

var (
	action = regexp.MustCompile(`<form [^>]*action="([^"]*)"`)
	hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
	// abort is the link with which a user leaves the pages of oidc-provider.
	abort = regexp.MustCompile(`<a href="([^"]*/abort)"`)
)

// browser logs in as the demo user at the pages of an authorization server, and allows
// or denies what is asked for. The result is the address that the browser is finally
// sent to, or nothing after a login for another device, which ends at a page.
type browser struct {
	denies bool
	code   string // the code that another device shows
}

// over matches the last page of a login for another device.
var over = regexp.MustCompile(`<title>Sign-in Success</title>|The Sign-in request was interrupted`)

func (b browser) visit(ctx context.Context, address string) (string, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	client := &http.Client{
		Jar: jar, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	at, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	home := at.Host
	var form url.Values
	for range 10 {
		method, body := http.MethodGet, ""
		if form != nil {
			method, body = http.MethodPost, form.Encode()
		}
		req, err := http.NewRequestWithContext(ctx, method, at.String(), strings.NewReader(body))
		if err != nil {
			return "", err
		}
		if form != nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Origin", "http://"+home)
		}
		resp, err := client.Do(req)
		if err != nil {
			return "", err
		}
		page, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		_ = resp.Body.Close()
		if err != nil {
			return "", err
		}
		form = nil
		if next, err := resp.Location(); err == nil {
			if at = next; at.Host != home {
				return at.String(), nil
			}
			continue
		}
		if resp.StatusCode != http.StatusOK {
			return "", fmt.Errorf("%s answered %s: %s", at.Path, resp.Status, words(string(page)))
		}
		if b.code != "" && over.Match(page) {
			return "", nil
		}
		if link := abort.FindStringSubmatch(string(page)); b.denies && link != nil {
			if at, err = at.Parse(html.UnescapeString(link[1])); err != nil {
				return "", err
			}
			continue
		}
		if form, err = b.fill(string(page)); err != nil {
			return "", err
		}
		if to := action.FindStringSubmatch(string(page)); to != nil {
			if at, err = at.Parse(html.UnescapeString(to[1])); err != nil {
				return "", err
			}
		}
	}
	return "", fmt.Errorf("the login at %s does not end", home)
}

var markup = regexp.MustCompile(`(?s)<style.*?</style>|<script.*?</script>|<[^>]*>|\s+`)

// words is the text of a page, without its markup.
func words(page string) string {
	return strings.Join(strings.Fields(markup.ReplaceAllString(page, " ")), " ")
}

// fill fills in a page.
func (b browser) fill(page string) (url.Values, error) {
	form := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(page, -1) {
		form.Set(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	switch {
	case strings.Contains(page, `name="username"`):
		form.Set("username", devas.DemoUser)
		form.Set("password", devas.DemoPassword)
	case strings.Contains(page, `name="login"`): // oidc-provider takes any name and password
		form.Set("login", devas.DemoUser)
		form.Set("password", devas.DemoPassword)
	case form.Get("prompt") == "consent", form.Get("confirm") == "yes":
	case strings.Contains(page, `name="user_code"`) && b.code != "":
		form.Set("user_code", b.code)
	case strings.Contains(page, `name="decision"`) && b.denies:
		form.Set("decision", "deny")
	case strings.Contains(page, `name="decision"`):
		form.Set("decision", "allow")
	default:
		return nil, fmt.Errorf("a page that cannot be filled in: %s", page)
	}
	return form, nil
}

// browse visits an address and, like a browser, follows redirects.
func (b browser) browse(ctx context.Context, address string) error {
	back, err := b.visit(ctx, address)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, back, nil)
	if err != nil {
		return err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		// Without the address, since it contains a code.
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return fmt.Errorf("no server answered at the redirect address: %w", err)
	}
	return resp.Body.Close()
}
