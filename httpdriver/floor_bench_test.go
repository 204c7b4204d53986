package httpdriver_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/states/wire"
)

// floor is a cold login with nothing in it but what no program can do without:
// the six requests, four documents decoded once, one S256, the authorization
// URL, and the redirect taken apart. It stores nothing, judges nothing, and has
// no second thread. Nobody should log in this way; it is there to be compared
// with.
func floor(tb testing.TB, base http.RoundTripper, server string, visit func(authorize string) url.Values) {
	refused := floorCall(tb, base, server, "")
	_, rest, _ := strings.Cut(refused.Header.Get("WWW-Authenticate"), `resource_metadata="`)
	metadata, _, _ := strings.Cut(rest, `"`)

	c := &http.Client{Transport: base}
	var prm struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers"`
		Scopes   []string `json:"scopes_supported"`
	}
	floorAsk(tb, c, http.MethodGet, metadata, "", "", &prm)
	var asm struct {
		Authorize string `json:"authorization_endpoint"`
		Token     string `json:"token_endpoint"`
		Register  string `json:"registration_endpoint"`
	}
	floorAsk(tb, c, http.MethodGet, prm.Servers[0]+"/.well-known/oauth-authorization-server", "", "", &asm)

	const redirectURI = "http://127.0.0.1:39323/callback"
	scope := strings.Join(prm.Scopes, " ")
	registration, err := json.Marshal(struct {
		Redirects   []string `json:"redirect_uris"`
		Name        string   `json:"client_name"`
		Grants      []string `json:"grant_types"`
		Responses   []string `json:"response_types"`
		Method      string   `json:"token_endpoint_auth_method"`
		Application string   `json:"application_type"`
		Scope       string   `json:"scope"`
	}{[]string{redirectURI}, "Stile", []string{"authorization_code", "refresh_token"}, []string{"code"}, "none", "native", scope})
	if err != nil {
		tb.Fatal(err)
	}
	var client struct {
		ID string `json:"client_id"`
	}
	floorAsk(tb, c, http.MethodPost, asm.Register, "application/json", string(registration), &client)

	var chance [64]byte
	_, _ = rand.Read(chance[:])
	verifier := base64.RawURLEncoding.EncodeToString(chance[:32])
	state := base64.RawURLEncoding.EncodeToString(chance[32:])
	s256 := sha256.Sum256([]byte(verifier))
	back := visit(asm.Authorize + "?" + wire.EncodeForm(wire.Fields{
		{Name: "response_type", Value: "code"}, {Name: "client_id", Value: client.ID}, {Name: "redirect_uri", Value: redirectURI},
		{Name: "scope", Value: scope}, {Name: "state", Value: state}, {Name: "resource", Value: prm.Resource},
		{Name: "code_challenge", Value: base64.RawURLEncoding.EncodeToString(s256[:])}, {Name: "code_challenge_method", Value: "S256"},
	}))
	if back.Get("state") != state {
		tb.Fatal("another state")
	}
	var tok struct {
		Access  string `json:"access_token"`
		Type    string `json:"token_type"`
		Expires int64  `json:"expires_in"`
		Refresh string `json:"refresh_token"`
		Scope   string `json:"scope"`
	}
	floorAsk(tb, c, http.MethodPost, asm.Token, "application/x-www-form-urlencoded", wire.EncodeForm(wire.Fields{
		{Name: "grant_type", Value: "authorization_code"}, {Name: "code", Value: back.Get("code")}, {Name: "redirect_uri", Value: redirectURI},
		{Name: "client_id", Value: client.ID}, {Name: "code_verifier", Value: verifier}, {Name: "resource", Value: prm.Resource},
	}), &tok)
	if resp := floorCall(tb, base, server, "Bearer "+tok.Access); resp.StatusCode != http.StatusOK {
		tb.Fatal(resp.Status)
	}
}

// floorCall is the request of the program itself.
func floorCall(tb testing.TB, base http.RoundTripper, server, authorization string) *http.Response {
	req, err := http.NewRequest(http.MethodGet, server, nil)
	if err != nil {
		tb.Fatal(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := base.RoundTrip(req)
	if err != nil {
		tb.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp
}

// floorAsk is one exchange, its answer decoded once.
func floorAsk(tb testing.TB, c *http.Client, method, target, contentType, body string, into any) {
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, target, content)
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Accept", "application/json")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := c.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		tb.Fatal(err)
	}
}
