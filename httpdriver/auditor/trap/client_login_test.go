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
	"os/exec"
	"slices"
	"strings"
	"time"
)

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
