//go:build unix

package trap_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// loginByDevice shows the user a code and polls until they have entered it.
func (c *client) loginByDevice(challenge *http.Response) error {
	resource, asm, err := c.discover(challenge)
	if err != nil {
		return err
	}
	if c.tokens.Issuer == "" {
		c.tokens.Issuer = text(asm, "issuer")
	}
	id, err := c.register(asm, "http://127.0.0.1:1/callback")
	if err != nil {
		return err
	}
	for again := 0; ; again++ {
		err := c.byCode(challenge, resource, asm, id)
		if err == nil || !c.broken("device-restart") || again == 3 {
			return err
		}
	}
}

func (c *client) byCode(challenge *http.Response, resource string, asm map[string]any, id string) error {
	resp, err := c.http.PostForm(text(asm, "device_authorization_endpoint"), url.Values{"client_id": {id}, "scope": {c.scope(challenge)}, "resource": {resource}})
	if err != nil {
		return err
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	_ = resp.Body.Close()
	m, err := c.object(body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("no code: %d %w", resp.StatusCode, err)
	}
	page, code := text(m, "verification_uri"), text(m, "user_code")
	if c.broken("device-opens") {
		_ = exec.Command("xdg-open", page).Run()
	}
	if c.broken("raw-terminal") {
		fmt.Println("Enter", code, "at", page)
	} else {
		fmt.Println("Enter", strconv.QuoteToASCII(code), "at", strconv.QuoteToASCII(page))
	}
	if wire.CheckURL(page, wire.URLPolicy{AllowLoopbackHTTP: true}) != nil {
		return errors.New("the page is no https address")
	}
	n, _ := m["interval"].(float64)
	interval := time.Duration(max(n, 1)) * time.Second
	c.tokens = tokens{Issuer: text(asm, "issuer"), ClientID: id, TokenEndpoint: text(asm, "token_endpoint"), Resource: resource, Scope: c.scope(challenge), Secret: c.tokens.Secret, Method: c.tokens.Method, RegisteredAt: c.tokens.RegisteredAt}
	for range 20 {
		if c.broken("device-hasty") {
			interval = 100 * time.Millisecond
		}
		time.Sleep(interval)
		_, err := c.token(url.Values{"grant_type": {deviceGrant}, "device_code": {text(m, "device_code")}, "client_id": {id}, "resource": {resource}})
		if err == nil {
			return nil
		}
		var refused refusal
		if !errors.As(err, &refused) {
			return err
		}
		var said map[string]any
		_ = json.Unmarshal(refused.body, &said)
		switch text(said, "error") {
		case "authorization_pending":
		case "slow_down":
			if !c.broken("device-steady") {
				interval += 5 * time.Second
			}
		default:
			if !c.broken("device-goes-on") {
				return err
			}
		}
	}
	return errors.New("nobody entered the code")
}

// refusal is an answer of the token endpoint that is not a token.
type refusal struct {
	status int
	body   []byte
}

func (r refusal) Error() string { return fmt.Sprintf("token endpoint: %d %s", r.status, r.body) }

// grants are what the client registers for.
func (c *client) grants() []string {
	out := []string{"authorization_code", "refresh_token"}
	if c.broken("device") {
		out = append(out, deviceGrant)
	}
	return out
}
