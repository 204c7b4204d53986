//go:build unix

package trap_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
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
	breaks []string
	server string
	home   string
	http   *http.Client
	tokens tokens
}

// tokens is what the client keeps in its home directory.
type tokens struct {
	Issuer, ClientID, Access, Refresh, TokenEndpoint, Resource string
}

func (c *client) broken(what string) bool { return slices.Contains(c.breaks, what) }

// runClient is main of the client; it gives the exit status.
func runClient(breaks, server string) int {
	c := &client{breaks: strings.Split(breaks, ","), server: server, home: os.Getenv("HOME"),
		http: &http.Client{Timeout: 5 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if c.broken("follow") {
		c.http.CheckRedirect = nil
	}
	if !c.broken("no-lock") {
		unlock := c.lock()
		defer unlock()
	}
	if err := c.run(); err != nil {
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

func (c *client) load() {
	b, err := os.ReadFile(filepath.Join(c.home, "tokens.json"))
	if err == nil {
		_ = json.Unmarshal(b, &c.tokens)
	}
}

func (c *client) save() {
	b, _ := json.Marshal(c.tokens)
	_ = os.WriteFile(filepath.Join(c.home, "tokens.json"), b, 0o600)
}

func (c *client) run() error {
	c.load()
	if c.broken("no-lock") {
		time.Sleep(300 * time.Millisecond) // all have read before one writes
	}
	resp, err := c.call()
	if err != nil {
		return err
	}
	for tries := 0; resp.StatusCode == http.StatusUnauthorized; tries++ {
		if tries == 2 && !c.broken("loop") || tries == 6 {
			return errors.New("the server refuses a new token")
		}
		if c.tokens.Refresh != "" && !c.broken("no-refresh") {
			again, err := c.refresh(resp)
			if err != nil {
				return err
			}
			if again {
				if resp, err = c.call(); err != nil {
					return err
				}
				continue
			}
		}
		if err := c.login(resp); err != nil {
			return err
		}
		if resp, err = c.call(); err != nil {
			return err
		}
	}
	for n := 0; resp.StatusCode == http.StatusForbidden && c.broken("loop") && n < 6; n++ {
		if err := c.login(resp); err != nil {
			return err
		}
		if resp, err = c.call(); err != nil {
			return err
		}
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("the server answers %d", resp.StatusCode)
	}
	return nil
}

const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`

func (c *client) call() (*http.Response, error) {
	u := c.server
	if c.broken("query-token") && c.tokens.Access != "" {
		u += "?access_token=" + c.tokens.Access
	}
	req, _ := http.NewRequest(http.MethodPost, u, strings.NewReader(initialize))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	if c.tokens.Access != "" {
		req.Header.Set("Authorization", "Bearer "+c.tokens.Access)
	}
	resp, err := c.http.Do(req)
	if err == nil {
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
	var body []byte
	for try := 0; ; try++ {
		resp, err := c.http.Do(req)
		if err != nil {
			return nil, err
		}
		body, _ = io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		_ = resp.Body.Close()
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
	if !c.broken("no-challenge") {
		for _, v := range challenge.Header.Values("WWW-Authenticate") {
			if m := namedURL.FindStringSubmatch(v); m != nil {
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
	if resource == "" && !c.broken("no-resource-check") {
		return "", nil, errors.New("no resource")
	}
	if r, err := url.Parse(resource); err != nil || !c.broken("no-resource-check") && (r.Scheme+"://"+r.Host != origin || !strings.HasPrefix(u.Path, strings.TrimSuffix(r.Path, "/"))) {
		return "", nil, errors.New("the resource is another one")
	}
	issuers := texts(prm, "authorization_servers")
	if len(issuers) == 0 {
		if !c.broken("guess-issuer") {
			return "", nil, errors.New("no issuer")
		}
		issuers = []string{origin}
	}
	for _, well := range []string{"oauth-authorization-server", "openid-configuration"} {
		if asm, err = c.document(issuers[0] + "/.well-known/" + well); err == nil {
			break
		}
	}
	if err != nil {
		if !c.broken("guess-issuer") {
			return "", nil, err
		}
		asm = map[string]any{"issuer": issuers[0], "authorization_endpoint": issuers[0] + "/authorize", "token_endpoint": issuers[0] + "/token", "registration_endpoint": issuers[0] + "/register"}
		return resource, asm, nil
	}
	if text(asm, "issuer") != issuers[0] && !c.broken("no-issuer-check") {
		return "", nil, errors.New("the issuer is another one")
	}
	if !slices.Contains(texts(asm, "code_challenge_methods_supported"), "S256") && !c.broken("no-pkce-check") {
		return "", nil, errors.New("no PKCE")
	}
	for _, name := range []string{"authorization_endpoint", "token_endpoint"} {
		bad := wire.CheckURL(text(asm, name), wire.URLPolicy{AllowLoopbackHTTP: true})
		if bad != nil && !c.broken("no-url-check") {
			return "", nil, bad
		}
		if name == "token_endpoint" && wire.Origin(text(asm, name)) != issuers[0] && !c.broken("no-mixup-check") {
			return "", nil, errors.New("the token endpoint is at another origin")
		}
	}
	if strings.Contains(text(asm, "authorization_endpoint"), "client_id=") && !c.broken("no-url-check") {
		return "", nil, errors.New("the endpoint presets client_id")
	}
	return resource, asm, nil
}

func draw() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

func (c *client) register(asm map[string]any, redirect string) (string, error) {
	if c.tokens.ClientID != "" && (c.tokens.Issuer == text(asm, "issuer") || c.broken("reuse-client")) && !c.broken("register-always") {
		return c.tokens.ClientID, nil
	}
	body, _ := json.Marshal(map[string]any{"client_name": "test", "redirect_uris": []string{redirect}, "application_type": "native",
		"grant_types": []string{"authorization_code", "refresh_token"}, "token_endpoint_auth_method": "none"})
	resp, err := c.http.Post(text(asm, "registration_endpoint"), "application/json", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("registration: %d", resp.StatusCode)
	}
	m, err := c.object(b)
	if err != nil {
		return "", err
	}
	if got := texts(m, "redirect_uris"); len(got) > 0 && !slices.Equal(got, []string{redirect}) && !c.broken("no-redirect-check") {
		return "", errors.New("another redirect URI was registered")
	}
	if text(m, "client_id") == "" {
		return "", errors.New("no client id")
	}
	return text(m, "client_id"), nil
}

// login sends the user to the issuer and exchanges the code.
func (c *client) login(challenge *http.Response) error {
	resource, asm, err := c.discover(challenge)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer ln.Close()
	redirect := "http://" + ln.Addr().String() + "/callback"
	if c.tokens.Issuer == "" {
		c.tokens.Issuer = text(asm, "issuer")
	}
	id, err := c.register(asm, redirect)
	if err != nil {
		return err
	}
	verifier, state := draw(), draw()
	if c.broken("short-state") {
		state = "1"
	}
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{"response_type": {"code"}, "client_id": {id}, "redirect_uri": {redirect}, "state": {state}, "scope": {"user"}}
	if !c.broken("no-pkce") {
		q.Set("code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))
		q.Set("code_challenge_method", "S256")
	}
	if !c.broken("no-resource") {
		q.Set("resource", resource)
	}
	sep := "?"
	if strings.Contains(text(asm, "authorization_endpoint"), "?") {
		sep = "&"
	}
	answer := make(chan url.Values, 1)
	receiver := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/callback" {
			http.NotFound(w, r)
			return
		}
		if c.broken("raw-page") {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, r.URL.Query().Get("error_description"))
		}
		select {
		case answer <- r.URL.Query():
		default:
		}
	})}
	go func() { _ = receiver.Serve(ln) }()
	defer func() { // the page is delivered before the process ends
		end, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = receiver.Shutdown(end)
	}()
	if err := exec.Command("xdg-open", text(asm, "authorization_endpoint")+sep+q.Encode()).Run(); err != nil {
		return err
	}
	patience := 5 * time.Second
	if !strings.HasPrefix(text(asm, "authorization_endpoint"), "http") {
		patience = 100 * time.Millisecond // nobody comes back from there
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var got url.Values
	select {
	case got = <-answer:
	case <-ctx.Done():
		return errors.New("no answer")
	}
	if err := c.judge(got, state, asm); err != nil {
		if c.broken("ask-again") && got.Get("error") != "" {
			c.breaks = slices.DeleteFunc(c.breaks, func(s string) bool { return s == "ask-again" })
			return c.login(challenge)
		}
		return err
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {got.Get("code")}, "redirect_uri": {redirect}, "client_id": {id}, "code_verifier": {verifier}, "resource": {resource}}
	if c.broken("no-verifier") {
		form.Set("code_verifier", draw())
	}
	if c.broken("no-resource") {
		form.Del("resource")
	}
	c.tokens = tokens{Issuer: text(asm, "issuer"), ClientID: id, TokenEndpoint: text(asm, "token_endpoint"), Resource: resource}
	_, err = c.token(form)
	return err
}

// judge reads the answer of the authorization endpoint.
func (c *client) judge(got url.Values, state string, asm map[string]any) error {
	issuer := text(asm, "issuer")
	promised, _ := asm["authorization_response_iss_parameter_supported"].(bool)
	for name, values := range got {
		if len(values) > 1 && !c.broken("no-repeat-check") {
			return errors.New(name + " is there twice")
		}
	}
	if iss := got.Get("iss"); !c.broken("no-iss-check") && (got.Has("iss") && iss != issuer || promised && !got.Has("iss")) {
		return errors.New("iss is not the issuer")
	}
	if got.Get("state") != state && !c.broken("no-state-check") {
		return errors.New("state is another one")
	}
	if got.Get("error") != "" && !c.broken("no-error-check") {
		return errors.New("the issuer refuses")
	}
	if got.Get("code") == "" {
		return errors.New("no code")
	}
	return nil
}

// token asks the token endpoint. again says that the same may be tried later.
func (c *client) token(form url.Values) (again bool, err error) {
	resp, err := c.http.PostForm(c.tokens.TokenEndpoint, form)
	if err != nil {
		return true, err
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode >= 500, fmt.Errorf("token endpoint: %d %s", resp.StatusCode, body)
	}
	m, err := c.object(body)
	if err != nil {
		return true, err
	}
	access := text(m, "access_token")
	if !c.broken("no-token-check") && (text(m, "error") != "" || access == "" || strings.ContainsAny(access, "\r\n") || !strings.EqualFold(text(m, "token_type"), "bearer")) {
		return false, errors.New("the answer cannot be used")
	}
	c.tokens.Access = strings.NewReplacer("\n", "", "\r", "").Replace(access)
	if r := text(m, "refresh_token"); r != "" || c.broken("forget-refresh") {
		c.tokens.Refresh = r
	}
	if c.broken("print") {
		fmt.Println("got", access)
	}
	c.save()
	return false, nil
}

// refresh reports whether the call can be tried again.
func (c *client) refresh(challenge *http.Response) (bool, error) {
	endpoint := c.tokens.TokenEndpoint
	if c.broken("refresh-anywhere") {
		if _, asm, err := c.discover(challenge); err == nil {
			c.tokens.TokenEndpoint = text(asm, "token_endpoint")
		}
	} else if _, asm, err := c.discover(challenge); err != nil || text(asm, "issuer") != c.tokens.Issuer {
		c.tokens = tokens{}
		return false, nil
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {c.tokens.Refresh}, "client_id": {c.tokens.ClientID}}
	if !c.broken("no-resource") && !c.broken("no-refresh-resource") {
		form.Set("resource", c.tokens.Resource)
	}
	for try := 0; ; try++ {
		again, err := c.token(form)
		if err == nil {
			return true, nil
		}
		if again && !c.broken("drop-on-failure") {
			if try < 2 {
				time.Sleep(50 * time.Millisecond)
				continue
			}
			return false, err
		}
		if c.broken("dead-again") && try < 2 {
			continue
		}
		c.tokens.Refresh, c.tokens.Access, c.tokens.TokenEndpoint = "", "", endpoint
		c.save()
		return false, nil
	}
}
