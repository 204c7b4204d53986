package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"
)

// goSDK is the go-sdk's client with the go-sdk's own OAuth code.
func goSDK(ctx context.Context, j job) (o outcome) {
	own := &http.Transport{}
	defer own.CloseIdleConnections()
	w := &watcher{next: own}
	// This runs last, after everything that the session asked for.
	defer func() { o.Requests = w.all() }()
	fail := func(err error) outcome { o.Err = err.Error(); return o }

	port := j.CallbackPort
	if port == 0 {
		port = 4711 // nothing listens there: the browser brings the answer
	}
	back := "http://127.0.0.1:" + strconv.Itoa(port) + "/callback"
	config := auth.AuthorizationCodeHandlerConfig{
		RedirectURL: back,
		Client:      &http.Client{Transport: w},
		AuthorizationCodeFetcher: func(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
			location, err := j.browser.visit(ctx, args.URL)
			if err != nil {
				return nil, err
			}
			u, err := url.Parse(location)
			if err != nil {
				return nil, err
			}
			q := u.Query()
			if e := q.Get("error"); e != "" {
				return nil, fmt.Errorf("denied: %s", e)
			}
			return &auth.AuthorizationResult{Code: q.Get("code"), State: q.Get("state"), Iss: q.Get("iss")}, nil
		},
	}
	kept := &keeper{}
	config.NewTokenSource = func(ctx context.Context, c *oauth2.Config, t *oauth2.Token) (oauth2.TokenSource, error) {
		kept.keep(c.ClientID, t.AccessToken)
		return c.TokenSource(ctx, t), nil
	}
	switch {
	case j.Document != "":
		config.ClientIDMetadataDocumentConfig = &auth.ClientIDMetadataDocumentConfig{URL: j.Document}
	case j.Client != "":
		config.PreregisteredClient = &oauthex.ClientCredentials{ClientID: j.Client}
	default:
		m := &oauthex.ClientRegistrationMetadata{
			ClientName: "go-sdk", RedirectURIs: []string{back}, TokenEndpointAuthMethod: "none", GrantTypes: []string{"authorization_code"},
		}
		if j.Refresh {
			m.GrantTypes = append(m.GrantTypes, "refresh_token")
		}
		config.DynamicClientRegistrationConfig = &auth.DynamicClientRegistrationConfig{Metadata: m}
	}
	h, err := auth.NewAuthorizationCodeHandler(&config)
	if err != nil {
		return fail(err)
	}
	c := mcp.NewClient(&mcp.Implementation{Name: "go-sdk", Version: "1"}, nil)
	session, err := c.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: j.Server, OAuthHandler: h, HTTPClient: &http.Client{Transport: w},
	}, nil)
	if err != nil {
		return fail(err)
	}
	defer func() {
		if err := session.Close(); err != nil && o.Err == "" {
			o.Err = "closing: " + err.Error()
		}
	}()
	tools, err := session.ListTools(ctx, nil)
	if err != nil {
		return fail(err)
	}
	for _, t := range tools.Tools {
		o.Tools = append(o.Tools, t.Name)
	}
	for _, name := range j.Steps {
		if name == "revoke" {
			if err := kept.revoke(ctx, j.Revoke); err != nil {
				return fail(err)
			}
			o.Steps = append(o.Steps, step{Name: name})
			continue
		}
		st, err := callTool(ctx, session, name)
		if err != nil {
			return fail(err)
		}
		o.Steps = append(o.Steps, st)
	}
	return o
}

// keeper remembers the token that was granted last.
type keeper struct {
	mu            sync.Mutex
	client, token string
}

func (k *keeper) keep(client, token string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.client, k.token = client, token
}

// revoke revokes the token (RFC 7009) without the SDK knowing.
func (k *keeper) revoke(ctx context.Context, address string) error {
	k.mu.Lock()
	form := url.Values{"token": {k.token}, "client_id": {k.client}}
	k.mu.Unlock()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New("revocation: " + resp.Status)
	}
	return nil
}

// watcher notes the requests that pass through it.
type watcher struct {
	next http.RoundTripper
	mu   sync.Mutex
	seen []string
}

func (w *watcher) RoundTrip(r *http.Request) (*http.Response, error) {
	words := []string{r.Method, r.URL.Path}
	if r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		_ = r.Body.Close()
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
		if form, err := url.ParseQuery(string(body)); err == nil {
			words = append(words, form.Get("grant_type"))
		}
	}
	resp, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, strings.Join(append(words, strconv.Itoa(resp.StatusCode)), " "))
	return resp, nil
}

func (w *watcher) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen
}
