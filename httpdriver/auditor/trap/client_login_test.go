//go:build unix

package trap_test

import (
	"bytes"
	"cmp"
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
	"strconv"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

func draw() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

func (c *client) register(asm map[string]any, redirect string) (string, error) {
	if id := c.byHand(asm); id != "" {
		if id == byHandID && cmp.Or(c.tokens.RegisteredAt, text(asm, "issuer")) != text(asm, "issuer") {
			return "", errors.New("the client was registered at another issuer")
		}
		c.tokens.RegisteredAt = text(asm, "issuer")
		return id, nil
	}
	if c.tokens.ClientID != "" && (c.tokens.Secret == "" || c.broken("old-secret")) && (c.tokens.Issuer == text(asm, "issuer") || c.broken("reuse-client")) && !c.broken("register-always") {
		return c.tokens.ClientID, nil
	}
	asked := map[string]any{"client_name": "test", "redirect_uris": []string{redirect}, "application_type": "native",
		"grant_types": c.grants(), "token_endpoint_auth_method": "none"}
	if c.broken("web-client") {
		asked["application_type"] = "web"
	}
	for _, method := range []string{"client_secret_basic", "client_secret_post"} {
		if c.broken(method) {
			asked["token_endpoint_auth_method"] = method
		}
	}
	if c.broken("no-method") {
		delete(asked, "token_endpoint_auth_method")
	}
	if c.broken("several-ports") {
		asked["redirect_uris"] = []string{redirect, "http://127.0.0.1:33418/callback", "http://localhost:33419/callback"}
	}
	body, _ := json.Marshal(asked)
	kind := "application/json"
	if c.broken("register-text") {
		kind = "text/plain"
	}
	resp, err := c.http.Post(text(asm, "registration_endpoint"), kind, bytes.NewReader(body))
	for n := 0; err == nil && resp.StatusCode >= 500 && n < 1 && c.broken("retries"); n++ {
		_ = resp.Body.Close()
		resp, err = c.http.Post(text(asm, "registration_endpoint"), kind, bytes.NewReader(body))
	}
	for n := 0; err == nil && resp.StatusCode >= 500 && n < 12 && c.broken("register-hard"); n++ {
		_ = resp.Body.Close()
		resp, err = c.http.Post(text(asm, "registration_endpoint"), "application/json", bytes.NewReader(body))
	}
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if resp.StatusCode >= 400 && c.broken("login-anyway") {
		return "made-up", nil
	}
	if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("registration: %d", resp.StatusCode)
	}
	m, err := c.object(b)
	if err != nil {
		return "", err
	}
	if got := texts(m, "redirect_uris"); len(got) > 0 && !slices.Contains(got, redirect) && !c.broken("no-redirect-check") {
		return "", errors.New("another redirect URI was registered")
	}
	if text(m, "client_id") == "" {
		return "", errors.New("no client id")
	}
	if u := text(m, "token_endpoint"); u != "" && c.broken("spread") {
		asm["token_endpoint"] = u
	}
	c.tokens.Secret, c.tokens.Method = text(m, "client_secret"), text(m, "token_endpoint_auth_method")
	if c.broken("print-secret") {
		fmt.Println("registered", c.tokens.Secret)
	}
	return text(m, "client_id"), nil
}

// scope is what the client asks for.
func (c *client) scope(challenge *http.Response) string {
	s := strings.Join(c.supported, " ")
	if m := challengedScope.FindStringSubmatch(challenge.Header.Get("WWW-Authenticate")); m != nil && !c.broken("listed-scopes") {
		s = m[1]
	}
	if c.more != "" {
		s = c.more
	}
	switch {
	case c.broken("all-scopes"):
		s += " write:everything"
	case c.broken("offline"):
		s += " offline_access"
	}
	return s
}

var challengedScope = regexp.MustCompile(`scope="([^"]+)"`)

// login sends the user to the issuer and exchanges the code.
func (c *client) login(challenge *http.Response) error {
	c.steered()
	if c.broken("device") {
		return c.loginByDevice(challenge)
	}
	resource, asm, err := c.discover(challenge)
	if err != nil {
		return err
	}
	host := "127.0.0.1:0"
	if c.broken("listen-all") {
		host = ":0"
	}
	ln, err := net.Listen("tcp", host)
	if err != nil {
		return err
	}
	defer ln.Close()
	own := fmt.Sprintf("127.0.0.1:%d", ln.Addr().(*net.TCPAddr).Port)
	if c.broken("localhost") {
		own = fmt.Sprintf("localhost:%d", ln.Addr().(*net.TCPAddr).Port)
	}
	redirect := "http://" + own + "/callback"
	if c.tokens.Issuer == "" {
		c.tokens.Issuer = text(asm, "issuer")
	}
	id, err := c.register(asm, redirect)
	if id == "-" {
		return errors.New("the issuer reads no documents")
	}
	if c.broken("unannounced") {
		id, err = "https://client.example/client.json", nil
	}
	if err != nil {
		return err
	}
	verifier, state := draw(), draw()
	switch {
	case c.broken("short-state"):
		state = "1"
	case c.broken("same-state"):
		state = "always-the-same-state-of-this-client"
	case c.broken("same-verifier"):
		verifier = "always-the-same-verifier-of-this-client-0123456789"
	case c.broken("client-state"):
		state = id
	case c.broken("poor-state"):
		state = strings.Repeat("1", 32)
	case c.broken("short-verifier"):
		verifier = verifier[:20]
	case c.broken("poor-verifier"):
		verifier = strings.Repeat("ab", 22) + draw()[:0]
	case c.broken("verifier-state"):
		state = verifier
	}
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{"response_type": {"code"}, "client_id": {id}, "redirect_uri": {redirect}, "state": {state}}
	if scope := c.scope(challenge); scope != "" && !c.broken("no-scope") {
		q.Set("scope", scope)
	}
	if !c.broken("no-pkce") {
		q.Set("code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))
		q.Set("code_challenge_method", "S256")
	}
	if c.broken("verifier-hint") {
		q.Set("login_hint", verifier)
	}
	if c.broken("mislabelled-pkce") {
		q.Set("code_challenge", verifier)
	}
	if c.broken("nameless-pkce") {
		q.Del("code_challenge_method")
	}
	if c.broken("plain-pkce") {
		q.Set("code_challenge", verifier)
		q.Set("code_challenge_method", "plain")
	}
	switch {
	case c.broken("no-resource"), c.broken("no-authorize-resource"):
	case c.broken("origin-resource"):
		q.Set("resource", wire.Origin(resource))
	default:
		q.Set("resource", resource)
	}
	switch {
	case c.broken("no-state"):
		q.Del("state")
		state = ""
	case c.broken("implicit"):
		q.Set("response_type", "token")
	case c.broken("fragment"):
		q.Set("response_mode", "fragment")
	case c.broken("other-redirect"):
		q.Set("redirect_uri", "http://"+own+"/other")
	case c.broken("secret-in-address"):
		q.Set("client_secret", "0123456789abcdef")
	}
	if c.broken("extra") {
		q.Set("prompt", "consent")
		q.Set("access_type", "offline")
		q.Set("nonce", draw())
	}
	if c.broken("resource-twice") {
		q.Add("resource", "https://other.example/mcp")
	}
	if c.broken("scope-twice") {
		q.Set("scope", "user user")
	}
	sep := "?"
	if c.broken("drop-query") {
		asm["authorization_endpoint"], _, _ = strings.Cut(text(asm, "authorization_endpoint"), "?")
	}
	if strings.Contains(text(asm, "authorization_endpoint"), "?") {
		sep = "&"
	}
	answer, wrong := make(chan url.Values, 1), make(chan struct{}, 16)
	receiver := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && c.broken("any-method") {
			return // 200
		}
		if r.URL.Path != "/callback" && !c.broken("any-path") || r.Host != own && !c.broken("any-host") {
			http.NotFound(w, r)
			return
		}
		if len(r.URL.Query()) == 0 && (c.broken("any-host") || c.broken("any-path")) {
			return // 200
		}
		if got := r.URL.Query(); got.Get("state") != state && !c.broken("no-state-check") && !c.broken("any-error") && !c.broken("no-state") || len(got) == 0 {
			if len(got) > 0 {
				wrong <- struct{}{}
			}
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusBadRequest)
			if c.broken("raw-refusal") {
				_, _ = io.WriteString(w, got.Get("error")+": "+got.Get("error_description"))
			}
			return
		}
		if c.broken("page-external") {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, `<p>Thank you.<img src="https://logo.example/logo.png">`)
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
	if c.broken("looks") {
		if resp, err := c.http.Get(text(asm, "authorization_endpoint") + sep + q.Encode()); err == nil {
			_ = resp.Body.Close()
		}
	}
	if c.broken("printed") {
		fmt.Println("Please open", text(asm, "authorization_endpoint")+sep+q.Encode())
	} else if err := exec.Command("xdg-open", text(asm, "authorization_endpoint")+sep+q.Encode()).Run(); err != nil {
		return err
	}
	patience := 8 * time.Second
	if !strings.HasPrefix(text(asm, "authorization_endpoint"), "http") {
		patience = 100 * time.Millisecond // nobody comes back from there
	}
	if c.broken("asks-again") {
		patience = 2 * time.Second
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var got url.Values
	select {
	case got = <-answer:
	case <-wrong: // an answer that is not to this request: the right one comes soon, or never
		select {
		case got = <-answer:
		case <-time.After(2 * time.Second):
			return errors.New("no answer to this request")
		}
	case <-ctx.Done():
		if c.asked++; c.broken("asks-again") && c.asked < 6 {
			return c.login(challenge)
		}
		return errors.New("no answer")
	}
	if c.broken("last-answer") {
		select {
		case got = <-answer:
		case <-time.After(5 * time.Second):
		}
	}
	if err := c.judge(got, state, asm); err != nil {
		if c.broken("raw-terminal") {
			fmt.Println(got.Get("error_description"))
		}
		if c.broken("hang") && got.Get("error") != "" {
			time.Sleep(time.Hour)
		}
		if c.broken("ask-again") && got.Get("error") != "" {
			c.breaks = slices.DeleteFunc(c.breaks, func(s string) bool { return s == "ask-again" })
			return c.login(challenge)
		}
		return err
	}
	if c.broken("reread") {
		if _, again, err := c.discover(challenge); err == nil {
			asm = again
		}
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {got.Get("code")}, "redirect_uri": {redirect}, "client_id": {id}, "code_verifier": {verifier}, "resource": {resource}}
	if c.broken("no-verifier") {
		form.Set("code_verifier", draw())
	}
	if c.broken("lost-verifier") {
		form.Del("code_verifier")
	}
	if c.broken("no-resource") || c.broken("no-exchange-resource") {
		form.Del("resource")
	}
	if c.broken("nobody") {
		form.Del("client_id")
	}
	if c.broken("password") {
		form.Set("grant_type", "password")
	}
	if c.broken("other-exchange-redirect") {
		form.Set("redirect_uri", redirect+"/")
	}
	c.tokens = tokens{Issuer: text(asm, "issuer"), ClientID: id, TokenEndpoint: text(asm, "token_endpoint"), Resource: resource, Scope: q.Get("scope"), Secret: c.tokens.Secret, Method: c.tokens.Method, RegisteredAt: c.tokens.RegisteredAt}
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
	if c.same(got.Get("iss"), issuer) {
		got.Set("iss", issuer)
	}
	if c.broken("iss-fold") && strings.EqualFold(got.Get("iss"), issuer) {
		got.Set("iss", issuer)
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
	if got.Get("code") == "" && !c.broken("no-code-check") {
		return errors.New("no code")
	}
	return nil
}

// token asks the token endpoint. again says that the same may be tried later.
func (c *client) token(form url.Values) (again bool, err error) {
	c.wait = 0
	resp, err := c.do(c.tokenRequest(form))
	if err != nil && form.Get("code") != "" && c.broken("code-again") {
		resp, err = c.do(c.tokenRequest(form))
	}
	if err != nil {
		return !c.broken("lost-login"), err
	}
	defer resp.Body.Close()
	limit := int64(1 << 20)
	if c.broken("unbounded") {
		limit = 1 << 40
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, limit))
	if resp.StatusCode != http.StatusOK {
		if c.broken("print-failure") {
			fmt.Println("refused:", form.Get("code"), form.Get("code_verifier"))
		}
		if code := form.Get("code"); code != "" && c.broken("code-again") {
			c.breaks = slices.DeleteFunc(c.breaks, func(s string) bool { return s == "code-again" })
			return c.token(form)
		}
		if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && !c.broken("impatient") {
			c.wait = time.Duration(n) * time.Second
		}
		if c.broken("raw-terminal") {
			var m map[string]string
			_ = json.Unmarshal(body, &m)
			fmt.Println(m["error_description"])
		}
		return resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests, refusal{resp.StatusCode, body}
	}
	m, err := c.object(body)
	if err != nil {
		return true, err
	}
	access := text(m, "access_token")
	if !c.broken("no-token-check") && (text(m, "error") != "" || access == "" || strings.ContainsAny(access, "\r\n") || !strings.EqualFold(text(m, "token_type"), "bearer") && !(c.broken("dpop") && strings.EqualFold(text(m, "token_type"), "DPoP"))) {
		return false, errors.New("the answer cannot be used")
	}
	c.tokens.Access = strings.NewReplacer("\n", "", "\r", "").Replace(access)
	c.tokens.Type = text(m, "token_type")
	c.expires, _ = m["expires_in"].(float64)
	c.expires = float64(int64(c.expires))
	if c.tokens.Expires = time.Now().Add(24 * time.Hour); c.expires > 0 && c.expires < 1e6 && !c.broken("expired") {
		c.tokens.Expires = time.Now().Add(time.Duration(c.expires) * time.Second)
	}
	if u := text(m, "token_endpoint"); u != "" && c.broken("spread") {
		c.tokens.TokenEndpoint = u
	}
	if r := text(m, "refresh_token"); r != "" && r == c.tokens.Refresh && c.broken("drop-echo") {
		c.tokens.Refresh = ""
	} else if r != "" || c.broken("forget-refresh") {
		c.tokens.Refresh = r
	}
	if c.broken("print") {
		fmt.Println("got", access)
	}
	if c.broken("success-address") {
		_ = exec.Command("xdg-open", "https://client.example/done?token="+access).Run()
	}
	if c.broken("arguments") {
		_ = exec.Command("sh", "-c", "sleep 2", "Authorization: Bearer "+access).Run()
	}
	if c.broken("called-program") { // it lives as long as its request
		program := exec.Command(os.Args[0], "Authorization: Bearer "+access, c.server)
		program.Env = append(os.Environ(), "STILE_TRAP_CLIENT=only-call")
		_ = program.Run()
	}
	if c.broken("temporary") {
		_ = os.WriteFile(filepath.Join(os.TempDir(), "last-token"), []byte(access), 0o644)
	}
	c.save()
	if c.broken("refresh-as-bearer") {
		access := c.tokens.Access
		c.tokens.Access = c.tokens.Refresh
		_, _ = c.call()
		c.tokens.Access = access
	}
	return false, nil
}

// tokenRequest authenticates as the registration says.
func (c *client) tokenRequest(form url.Values) *http.Request {
	basic := c.tokens.Secret != "" && c.tokens.Method != "client_secret_post"
	if c.broken("always-post") {
		basic = false
	}
	if c.broken("always-basic") {
		basic = c.tokens.Secret != ""
	}
	sent := url.Values{}
	for k, v := range form {
		sent[k] = v
	}
	if basic {
		sent.Del("client_id")
	} else if c.tokens.Secret != "" && (form.Get("code") != "" || !c.broken("refresh-no-secret")) {
		sent.Set("client_secret", c.tokens.Secret)
	}
	c.sign(sent)
	if c.broken("two-methods") && c.tokens.Secret != "" {
		sent.Set("client_secret", c.tokens.Secret)
		basic = true
	}
	if c.broken("twice") {
		sent.Add("grant_type", sent.Get("grant_type"))
	}
	method, u, body := http.MethodPost, c.tokens.TokenEndpoint, sent.Encode()
	if c.broken("token-query") {
		u += "?" + body
	}
	if c.broken("token-get") {
		method, u, body = http.MethodGet, u+"?"+body, ""
	}
	req, _ := http.NewRequest(method, u, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if c.broken("token-json") {
		flat := map[string]string{}
		for k := range sent {
			flat[k] = sent.Get(k)
		}
		b, _ := json.Marshal(flat)
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
		req.Header.Set("Content-Type", "application/json")
	}
	if basic && c.broken("raw-basic") {
		req.SetBasicAuth(c.tokens.ClientID, c.tokens.Secret)
	} else if basic {
		req.SetBasicAuth(url.QueryEscape(c.tokens.ClientID), url.QueryEscape(c.tokens.Secret))
	}
	if c.broken("public-basic") && c.tokens.Secret == "" {
		req.SetBasicAuth(c.tokens.ClientID, "")
	}
	if c.broken("cookies") {
		req.AddCookie(&http.Cookie{Name: "session", Value: "0123456789"})
	}
	return req
}

// refresh reports whether the call can be tried again.
func (c *client) refresh(challenge *http.Response) (bool, error) {
	endpoint := c.tokens.TokenEndpoint
	if c.broken("stale-lock") || c.broken("patient") {
		if _, err := os.Stat(filepath.Join(c.home, "refreshing")); err == nil {
			if c.broken("patient") {
				time.Sleep(time.Minute)
			}
			return false, errors.New("another process refreshes")
		}
		_ = os.WriteFile(filepath.Join(c.home, "refreshing"), nil, 0o600)
		defer os.Remove(filepath.Join(c.home, "refreshing"))
	}
	if c.broken("cached-endpoint") {
	} else if c.broken("refresh-anywhere") {
		if _, asm, err := c.discover(challenge); err == nil {
			c.tokens.TokenEndpoint = text(asm, "token_endpoint")
		}
	} else if _, asm, err := c.discover(challenge); err != nil || text(asm, "issuer") != c.tokens.Issuer {
		id := c.tokens.ClientID
		if c.tokens = (tokens{RegisteredAt: c.tokens.RegisteredAt}); c.broken("reuse-client") {
			c.tokens.ClientID = id
		}
		return false, nil
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {c.tokens.Refresh}, "client_id": {c.tokens.ClientID}}
	if !c.broken("no-resource") && !c.broken("no-refresh-resource") {
		form.Set("resource", c.tokens.Resource)
	}
	if c.broken("other-refresh-resource") {
		form.Set("resource", wire.Origin(c.tokens.Resource))
	}
	if c.broken("refresh-anonymous") {
		form.Del("client_id")
	}
	if c.broken("refresh-wider") {
		form.Set("scope", c.tokens.Scope+" admin")
	}
	old := c.tokens.Refresh
	for try := 0; ; try++ {
		again, err := c.token(form)
		if err == nil && c.broken("keep-old") {
			c.tokens.Refresh = old
			c.save()
		}
		if err == nil {
			return true, nil
		}
		if c.broken("cached-endpoint") {
			return false, err
		}
		if again && !c.broken("drop-on-failure") {
			if try < 2 || c.broken("storm") && try < 20 {
				time.Sleep(max(c.wait, 50*time.Millisecond))
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

// logout revokes what the client has and forgets it.
func (c *client) logout() error {
	c.load()
	_, asm, err := c.discover(&http.Response{})
	if err != nil {
		return err
	}
	list := []string{c.tokens.Refresh, c.tokens.Access}
	switch {
	case c.broken("logout-silent"):
		list = nil
	case c.broken("logout-access-first"):
		slices.Reverse(list)
	case c.broken("logout-access-only"):
		list = list[1:]
	}
	for _, token := range list {
		form := url.Values{"token": {token}, "client_id": {c.tokens.ClientID}}
		if c.broken("logout-anonymous") {
			form.Del("client_id")
		}
		resp, err := c.http.PostForm(text(asm, "revocation_endpoint"), form)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
	}
	if c.broken("logout-keeps") {
		return nil
	}
	c.tokens = tokens{}
	c.save()
	return nil
}
