package devas_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

// Rules: as-consent-csrf, as-consent-session-bound.
func TestForgedForms(t *testing.T) {
	s := newSite(t, func(a *devas.ASConfig, _ *devas.RSConfig) { a.AutoConsent = false })
	client := s.register("test")
	open := func() (ticket string, form []string) {
		page := s.do("GET", s.do("GET", s.authorizeURL(client), "").header.Get("Location"), "")
		f := fields(page.body)
		return f[1], f
	}
	right := []string{"username", "demo_user", "password", "demo_password"}
	_, form := open()
	post := func(form []string, header ...string) int {
		return s.do("POST", s.issuer+"/login", pairs(append(form, right...)...), append(header, "Content-Type", "application/x-www-form-urlencoded")...).status
	}
	if got := post(form, "Origin", "https://evil.example"); got != 403 {
		t.Errorf("foreign Origin: %d", got)
	}
	if got := post(form, "Origin", "null"); got != 403 {
		t.Errorf("Origin null: %d", got)
	}
	if got := post(form, "Sec-Fetch-Site", "cross-site"); got != 403 {
		t.Errorf("cross-site: %d", got)
	}
	if got := post(form[:2]); got != 403 {
		t.Errorf("no CSRF token: %d", got)
	}
	if got := post([]string{form[0], form[1], "csrf", strings.Repeat("0", 64)}); got != 403 {
		t.Errorf("wrong CSRF token: %d", got)
	}
	if got := post(append(form, "ticket", "x")); got != 400 {
		t.Errorf("ticket twice: %d", got)
	}
	mine := s.browser
	s.newBrowser() // another user's browser, which was sent the address
	if got := s.do("GET", s.issuer+"/login?ticket="+form[1], "").status; got != 400 {
		t.Errorf("a ticket in another browser: %d", got)
	}
	if got := post(form); got != 400 {
		t.Errorf("a form from another browser: %d", got)
	}
	s.browser = mine
	if got := s.form("/consent", append(form, "decision", "allow")...).status; got != 403 {
		t.Errorf("consent with the login's CSRF token: %d", got)
	}
	if got := post(form, "Origin", s.issuer, "Sec-Fetch-Site", "same-origin"); got != 303 {
		t.Errorf("the real form: %d", got)
	}
	ticket, form := open()
	s.ahead.Store(int64(11 * time.Minute))
	if got := post(form); got != 400 || ticket == "" {
		t.Errorf("after ten minutes: %d", got)
	}
}

// Rules: clientauth-bruteforce.
func TestGuessingIsSlow(t *testing.T) {
	s := newSite(t, func(a *devas.ASConfig, _ *devas.RSConfig) { a.AutoConsent = false })
	client := s.register("test")
	page := s.do("GET", s.do("GET", s.authorizeURL(client), "").header.Get("Location"), "")
	guess := func(password string) int {
		return s.form("/login", append(fields(page.body), "username", "demo_user", "password", password)...).status
	}
	for range 5 {
		if got := guess("guess"); got != 401 {
			t.Fatalf("a guess: %d", got)
		}
	}
	if got := guess("demo_password"); got != 429 {
		t.Errorf("the sixth attempt: %d", got)
	}
	s.ahead.Store(int64(61 * time.Second))
	if got := guess("demo_password"); got != 303 {
		t.Errorf("a minute later: %d", got)
	}
	bad := "Basic " + base64.StdEncoding.EncodeToString([]byte(devas.RSClientID+":guess"))
	good := "Basic " + base64.StdEncoding.EncodeToString([]byte(devas.RSClientID+":"+devas.RSClientSecret))
	ask := func(auth string) int {
		return s.do("POST", s.issuer+"/introspect", "token=x", "Content-Type", "application/x-www-form-urlencoded", "Authorization", auth).status
	}
	for range 20 {
		if got := ask(bad); got != 401 {
			t.Fatalf("a guess at a secret: %d", got)
		}
	}
	if got := ask(good); got != 429 {
		t.Errorf("the twenty-first: %d", got)
	}
	s.ahead.Store(int64(3 * time.Minute))
	if got := ask(good); got != 200 {
		t.Errorf("a minute later: %d", got)
	}
}

// Rules: as-register-throttle.
func TestRegistrationFloods(t *testing.T) {
	s := newSite(t, func(a *devas.ASConfig, _ *devas.RSConfig) { a.RegistrationsPerMinute, a.MaxClients = 10, 15 })
	client, access, _ := s.login()
	flood := func(n int) (refused int) {
		for range n {
			a := s.do("POST", s.issuer+"/register", `{"redirect_uris":["`+back+`"]}`, "Content-Type", "application/json")
			if a.status == 429 && a.header.Get("Retry-After") != "" {
				refused++
			}
		}
		return refused
	}
	if got := flood(20); got != 11 {
		t.Errorf("%d were refused in the first minute", got)
	}
	s.ahead.Store(int64(2 * time.Minute))
	if got := flood(20); got != 15 {
		t.Errorf("%d were refused in the next: the number is bounded too", got)
	}
	s.exchange(client, s.code(client)) // the client that was there first is served
	if !s.as.Introspect(time.Now(), access).Active {
		t.Error("the flood cost a token")
	}
	s.ahead.Store(int64(25 * time.Hour))
	if got := flood(1); got != 0 {
		t.Error("clients that nobody used are kept for ever")
	}
	s.code(client) // a used one is kept
}

func TestOnlyLoopback(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.com:0", "127.0.0.1", "10.0.0.1:80"} {
		if ln, err := devas.Listen(addr); err == nil {
			_ = ln.Close()
			t.Errorf("%s was bound", addr)
		}
	}
}

// Rules: net-host-header-loopback.
func TestForeignOrigins(t *testing.T) {
	s := newSite(t, func(_ *devas.ASConfig, r *devas.RSConfig) { r.Origins = []string{"https://app.example"} })
	_, access, _ := s.login()
	for origin, want := range map[string]bool{
		"https://evil.example": false, "null": false, "http://localhost.evil.example": false, "http://127.0.0.1@evil.example": false,
		"https://app.example": true, "http://localhost:6274": true, strings.TrimSuffix(s.resource, "/mcp"): true,
	} {
		a := s.call("get_time", "Authorization", "Bearer "+access, "Origin", origin)
		if (a.status != 403) != want {
			t.Errorf("%s: %d", origin, a.status)
		}
	}
	if a := s.do("POST", s.resource, "{}", "Authorization", "Bearer "+access, "Host", "evil.example"); a.status != 421 {
		t.Errorf("another Host: %d", a.status)
	}
	if a := s.do("GET", strings.Replace(s.resource, "/mcp", "/.well-known/oauth-protected-resource/mcp", 1), "", "Origin", "https://evil.example"); a.status != 200 {
		t.Errorf("metadata is for everybody: %d", a.status)
	}
	if a := s.do("OPTIONS", s.resource, "", "Origin", "https://app.example", "Access-Control-Request-Method", "POST"); a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != "https://app.example" {
		t.Errorf("preflight: %d %v", a.status, a.header)
	}
	if a := s.do("OPTIONS", s.issuer+"/authorize", "", "Origin", "https://app.example", "Access-Control-Request-Method", "GET"); a.status != 405 || a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("the authorization endpoint is open to scripts: %d", a.status)
	}
}

// Faults that hang on what the caller's header says act over HTTP too.
func TestFaultsOfHeaders(t *testing.T) {
	s := newSite(t, func(a *devas.ASConfig, r *devas.RSConfig) {
		a.Faults, r.Faults = []string{"asm-host-reflected"}, []string{"origin-unchecked"}
	})
	_, access, _ := s.login()
	if a := s.call("get_time", "Authorization", "Bearer "+access, "Origin", "https://evil.example"); a.status == 403 {
		t.Error("a page of another site may not ask, although the fault says so")
	}
	if a := s.do("GET", s.issuer+"/.well-known/oauth-authorization-server", "", "X-Forwarded-Host", "evil.example"); !strings.Contains(a.body, "https://evil.example") {
		t.Errorf("X-Forwarded-Host is not followed: %s", a.body)
	}
}
