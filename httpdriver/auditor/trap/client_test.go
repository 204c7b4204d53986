//go:build unix

package trap_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

// client is a small MCP client that keeps the rules, but for those that it is
// told to break. The tests start themselves as this client.
type client struct {
	breaks    []string
	server    string
	home      string
	http      *http.Client
	tokens    tokens
	supported []string // the scopes that the resource's metadata names
	more      string   // the scopes of a step-up
	expires   float64  // expires_in of the last token
	wait      time.Duration
	asked     int    // how often nobody came back
	refusal   string // the body of the last answer of the server
	nonces    map[string]string
}

// tokens is what the client keeps in its home directory.
type tokens struct {
	Issuer, ClientID, Access, Refresh, TokenEndpoint, Resource string
	RegisteredAt                                               string // the issuer of a client that was registered by hand
	Secret, Method, Scope, Type                                string
	Expires                                                    time.Time
}

func (c *client) broken(what string) bool { return slices.Contains(c.breaks, what) }

// runClient is main of the client; it gives the exit status.
func runClient(breaks, server string) int {
	c := &client{breaks: strings.Split(breaks, ","), server: server, home: os.Getenv("HOME"), nonces: map[string]string{},
		http: &http.Client{Timeout: 5 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if c.broken("follow") {
		c.http.CheckRedirect = nil
	}
	c.varied()
	if c.broken("any-certificate") {
		c.http.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	}
	if c.broken("follow-forever") {
		c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return nil }
		c.http.Timeout = 0
	}
	if c.broken("only-call") {
		c.tokens.Access, c.tokens.Expires = strings.TrimPrefix(os.Args[1], "Authorization: Bearer "), time.Now().Add(time.Hour)
		_, _ = c.call()
		return 0
	}
	if !c.broken("no-lock") {
		unlock := c.lock()
		defer unlock()
	}
	run := c.run
	if len(os.Args) > 2 && os.Args[1] == "logout" {
		run = c.logout
	}
	if err := run(); err != nil {
		fmt.Println("client:", err)
		return 1
	}
	return 0
}

// lock lets one process at a time use the tokens.
func (c *client) lock() func() {
	f, err := os.OpenFile(filepath.Join(c.home, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return func() {}
	}
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	return func() { _ = f.Close() }
}

// file is where the tokens of a server are, sealed.
func (c *client) file() string {
	if c.broken("one-token") {
		return filepath.Join(c.home, "tokens")
	}
	kept := c.server
	if c.broken("token-by-origin") {
		kept = wire.Origin(c.server)
	}
	sum := sha256.Sum256([]byte(kept))
	return filepath.Join(c.home, "tokens-"+base64.RawURLEncoding.EncodeToString(sum[:6]))
}

// seal stands in for a keychain: what it writes is not what was given.
func seal(b []byte) []byte {
	out := bytes.Clone(b)
	for i := range out {
		out[i] ^= 0x5a
	}
	return out
}

func (c *client) load() {
	if c.broken("forgetful") {
		return
	}
	b, err := os.ReadFile(c.file())
	if err == nil {
		if !c.broken("plain-store") && !c.broken("open-store") {
			b = seal(b)
		}
		_ = json.Unmarshal(b, &c.tokens)
	}
}

func (c *client) save() {
	if c.broken("forgetful") {
		return
	}
	b, _ := json.Marshal(c.tokens)
	mode := os.FileMode(0o600)
	switch {
	case c.broken("open-store"):
		mode = 0o644
	case !c.broken("plain-store"):
		b = seal(b)
	}
	_ = os.WriteFile(c.file(), b, mode)
}

func (c *client) run() error {
	c.load()
	c.before()
	resp, err := c.ask()
	if err != nil {
		return err
	}
	demands := demandedScope.FindStringSubmatch(resp.Header.Get("WWW-Authenticate"))
	if resp.StatusCode == http.StatusForbidden && c.broken("refresh-forbidden") {
		_, _ = c.refresh(resp)
	}
	if c.broken("no-step-up") && resp.StatusCode == http.StatusForbidden {
		return errors.New("more scope is demanded")
	}
	for n := 0; resp.StatusCode == http.StatusForbidden && (c.broken("loop") || demands != nil && n < 2) && n < 6; n++ {
		c.more = c.tokens.Scope
		if demands != nil && !strings.Contains(" "+c.more+" ", " "+demands[1]+" ") {
			c.more += " " + demands[1]
		} else if !c.broken("loop") {
			break
		}
		if c.broken("step-alone") {
			c.more = demands[1]
		}
		if err := c.login(resp); err != nil {
			return err
		}
		if c.broken("step-silent") {
			return nil
		}
		if resp, err = c.call(); err != nil {
			return err
		}
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("the server answers %d", resp.StatusCode)
	}
	if c.broken("session-bare") {
		c.tokens.Access = ""
	}
	for n := 0; n < 2 && err == nil; n++ {
		if c.broken("token-once") {
			c.tokens.Access, c.tokens.Refresh = "", ""
		}
		_, err = c.ask()
	}
	return err
}

// ask calls the server, and refreshes or logs in when it is refused.
func (c *client) ask() (*http.Response, error) {
	resp, err := c.call()
	if err != nil {
		return nil, err
	}
	for tries := 0; resp.StatusCode == http.StatusUnauthorized || c.broken("login-on-error") && resp.StatusCode >= 400; tries++ {
		if tries == 2 && !c.broken("loop") || tries == 8 {
			return nil, errors.New("the server refuses a new token")
		}
		for n := 0; n < 30 && c.broken("hammer"); n++ {
			if resp, err = c.call(); err != nil {
				return nil, err
			}
		}
		if c.tokens.Access != "" && c.broken("give-up") {
			return nil, errors.New("the server refuses the token")
		}
		if c.tokens.Refresh != "" && !c.broken("no-refresh") {
			again, err := c.refresh(resp)
			if err != nil {
				return nil, err
			}
			if again {
				if resp, err = c.call(); err != nil {
					return nil, err
				}
				continue
			}
		}
		err := c.login(resp)
		for n := 0; n < 4 && (err != nil && c.broken("login-until") || err == nil && c.expires <= 0 && c.broken("expiry-loop")); n++ {
			err = c.login(resp)
		}
		if err != nil {
			return nil, err
		}
		if resp, err = c.call(); err != nil {
			return nil, err
		}
	}
	return resp, nil
}

var demandedScope = regexp.MustCompile(`error="insufficient_scope".*scope="([^"]+)"`)

const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`

func (c *client) call() (*http.Response, error) {
	u := c.server
	if c.broken("query-token") && c.tokens.Access != "" {
		u += "?access_token=" + c.tokens.Access
	}
	req, _ := http.NewRequest(http.MethodPost, u, strings.NewReader(initialize))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	if c.tokens.Access != "" && !time.Now().After(c.tokens.Expires) {
		kind := "Bearer"
		if strings.EqualFold(c.tokens.Type, "DPoP") && !c.broken("bound-as-bearer") {
			kind = "DPoP"
		}
		req.Header.Set("Authorization", kind+" "+c.tokens.Access)
	}
	resp, err := c.do(req)
	for n := 0; err == nil && resp.StatusCode >= 500 && (c.broken("retries") && n < 1 || c.broken("call-hard") && n < 30); n++ {
		_ = resp.Body.Close()
		req.Body = io.NopCloser(strings.NewReader(initialize))
		resp, err = c.http.Do(req)
	}
	if err == nil {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
		c.refusal = string(b)
		_ = resp.Body.Close()
	}
	return resp, err
}

// document reads a JSON object; strictly, unless the client is told otherwise.
func (c *client) document(u string) (map[string]any, error) {
	req, _ := http.NewRequest(http.MethodGet, u, nil)
	if c.broken("metadata-token") {
		req.Header.Set("Authorization", "Bearer "+c.tokens.Access)
	}
	if linkLocal(u) && !c.broken("any-host-name") && !c.broken("any-metadata") {
		return nil, errors.New("link-local addresses are not asked")
	}
	var body []byte
	for try := 0; ; try++ {
		resp, err := c.http.Do(req)
		if err != nil {
			return nil, err
		}
		limit := int64(1 << 20)
		if c.broken("unbounded") {
			limit = 1 << 40
		}
		body, _ = io.ReadAll(io.LimitReader(resp.Body, limit))
		_ = resp.Body.Close()
		if resp.StatusCode >= 500 && c.broken("metadata-hard") && try < 60 {
			continue
		}
		if resp.StatusCode == http.StatusServiceUnavailable && try < 2 {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s: %d", u, resp.StatusCode)
		}
		break
	}
	return c.object(body)
}

// linkLocal reports whether an address is one of a metadata service.
func linkLocal(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && net.ParseIP(u.Hostname()).IsLinkLocalUnicast()
}

func (c *client) object(body []byte) (map[string]any, error) {
	if !c.broken("lax-json") {
		if _, err := wire.ParseObject(body); err != nil {
			return nil, err
		}
	}
	var out map[string]any
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&out); err != nil {
		return nil, err
	}
	if c.broken("lax-json") {
		for k, v := range out {
			out[strings.ToLower(strings.ReplaceAll(k, "ſ", "s"))] = v
		}
	}
	return out, nil
}

func text(m map[string]any, name string) string { s, _ := m[name].(string); return s }

func texts(m map[string]any, name string) []string {
	var out []string
	list, _ := m[name].([]any)
	for _, v := range list {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

var namedURL = regexp.MustCompile(`resource_metadata="([^"]+)"`)

// discover finds issuer and endpoints.
func (c *client) discover(challenge *http.Response) (resource string, asm map[string]any, err error) {
	u, _ := url.Parse(c.server)
	origin := u.Scheme + "://" + u.Host
	places := []string{origin + "/.well-known/oauth-protected-resource" + u.Path, origin + "/.well-known/oauth-protected-resource"}
	if c.broken("root-first") {
		slices.Reverse(places)
	}
	if !c.broken("no-challenge") {
		for _, v := range challenge.Header.Values("WWW-Authenticate") {
			if m := namedURL.FindStringSubmatch(v); m != nil && (strings.HasPrefix(m[1], origin+"/") || c.broken("any-metadata")) {
				places = slices.Insert(places, 0, m[1])
			}
		}
	}
	var prm map[string]any
	for _, p := range places {
		if prm, err = c.document(p); err == nil {
			break
		}
	}
	if err != nil {
		return "", nil, err
	}
	resource = text(prm, "resource")
	if c.broken("raw-terminal") {
		fmt.Println("logging in to", text(prm, "resource_name"))
	}
	if resource == "" && !c.broken("no-resource-check") {
		return "", nil, errors.New("no resource")
	}
	if r, err := url.Parse(resource); err != nil || !c.broken("no-resource-check") && (r.Scheme+"://"+r.Host != origin || !c.covers(r.Path, u.Path)) {
		return "", nil, errors.New("the resource is another one")
	}
	issuers := texts(prm, "authorization_servers")
	c.supported = texts(prm, "scopes_supported")
	if len(issuers) > 0 && !c.broken("no-url-check") && wire.CheckURL(issuers[0], wire.URLPolicy{AllowLoopbackHTTP: true}) != nil {
		return "", nil, errors.New("the issuer is no https address")
	}
	if len(issuers) == 0 {
		if !c.broken("guess-issuer") {
			return "", nil, errors.New("no issuer")
		}
		issuers = []string{origin}
	}
	at, _ := url.Parse(issuers[0])
	kinds := []string{"oauth-authorization-server", "openid-configuration"}
	if c.broken("oidc-first") {
		slices.Reverse(kinds)
	}
	for _, well := range kinds {
		path := at.Path
		if c.broken("no-issuer-path") {
			path = ""
		}
		if asm, err = c.document(at.Scheme + "://" + at.Host + "/.well-known/" + well + path); err == nil {
			break
		}
	}
	if err != nil && c.broken("root-metadata") {
		asm, err = c.document(wire.Origin(issuers[0]) + "/.well-known/oauth-authorization-server")
	}
	if err != nil {
		if !c.broken("guess-issuer") {
			return "", nil, err
		}
		asm = map[string]any{"issuer": issuers[0], "authorization_endpoint": issuers[0] + "/authorize", "token_endpoint": issuers[0] + "/token", "registration_endpoint": issuers[0] + "/register"}
		return resource, asm, nil
	}
	if !c.same(text(asm, "issuer"), issuers[0]) && !c.broken("no-issuer-check") {
		return "", nil, errors.New("the issuer is another one")
	}
	if !slices.Contains(texts(asm, "code_challenge_methods_supported"), "S256") && !c.broken("no-pkce-check") {
		return "", nil, errors.New("no PKCE")
	}
	for _, name := range []string{"authorization_endpoint", "token_endpoint", "registration_endpoint"} {
		if linkLocal(text(asm, name)) && !c.broken("any-endpoint") {
			return "", nil, errors.New("an endpoint is link-local")
		}
	}
	for _, name := range []string{"authorization_endpoint", "token_endpoint"} {
		bad := wire.CheckURL(text(asm, name), wire.URLPolicy{AllowLoopbackHTTP: true})
		if bad != nil && !c.broken("no-url-check") {
			return "", nil, bad
		}
		if name == "token_endpoint" && wire.Origin(text(asm, name)) != wire.Origin(issuers[0]) && !c.broken("no-mixup-check") && !c.broken("any-endpoint") {
			return "", nil, errors.New("the token endpoint is at another origin")
		}
	}
	if u := text(asm, "registration_endpoint"); u != "" && !c.broken("no-url-check") && wire.CheckURL(u, wire.URLPolicy{AllowLoopbackHTTP: true}) != nil {
		return "", nil, errors.New("the registration endpoint is no https address")
	}
	if strings.Contains(text(asm, "authorization_endpoint"), "client_id=") && !c.broken("no-url-check") {
		return "", nil, errors.New("the endpoint presets client_id")
	}
	return resource, asm, nil
}
