package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/keys"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

// authorizing makes an HTTP client that Stile authorizes, and the function that
// ends it. The steps of the machine go to log.
//
// Stile chooses the revision of MCP authorization, because the suite puts servers of
// 2025-03-26 behind a later protocol version.
func authorizing(server string, s settings, log io.Writer) (*http.Client, func() error, error) {
	o := httpdriver.Options{
		Store:  storage.NewMemory(),
		Policy: httpdriver.Policy{ClientName: "Stile conformance client", CIMD: cimd},
		Host:   httpdriver.UserAgent(visit),
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if s.WorkloadJWT == "" {
		o.Policy.Binding = states.TryBinding // if the issuer offers bound tokens
	}
	switch {
	case s.Own, s.WorkloadJWT != "", s.IDToken != "":
		if err := own(&o, server, s); err != nil {
			return nil, nil, err
		}
	case s.ClientID == "":
	case s.Issuer != "":
		o.Policy.Client = &states.Configured{Issuer: s.Issuer, ID: s.ClientID, Secret: wire.Secret(s.ClientSecret)}
	default:
		// The suite does not say which issuer registered this client. Stile binds a
		// configured client to its issuer. So this client is given as the answer to the
		// question that comes last, when an issuer offers no other way, and is bound there.
		o.Policy.Asks = []states.Question{states.AskClient}
		o.Ask = func(context.Context, httpdriver.Account, states.Ask) (states.Answered, error) {
			return states.Answered{Value: s.ClientID, Secret: wire.Secret(s.ClientSecret)}, nil
		}
	}
	d, err := httpdriver.New(o)
	if err != nil {
		return nil, nil, err
	}
	client, err := d.Client(httpdriver.Account{Server: server})
	if err != nil {
		return nil, nil, err
	}
	return client, d.Close, nil
}

// own sets up a client that asks in its own name, a workload, or a client of a company.
// Such a client belongs to one issuer, which is normally named in the host's
// configuration. The suite does not name it, so own reads what the server publishes.
func own(o *httpdriver.Options, server string, s settings) error {
	issuer := s.Issuer
	if issuer == "" {
		at, err := url.Parse(server)
		if err != nil {
			return err
		}
		path := at.Path
		at.Path = "/.well-known/oauth-protected-resource" + path
		res, err := http.Get(at.String()) //nolint:noctx // the whole run has a limit
		if err != nil {
			return err
		}
		defer func() { _ = res.Body.Close() }()
		var metadata struct {
			Issuers []string `json:"authorization_servers"`
		}
		if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&metadata); err != nil || len(metadata.Issuers) == 0 {
			return fmt.Errorf("the server names no issuer at %s: %w", at, err)
		}
		issuer = metadata.Issuers[0]
	}
	o.Policy.CIMD = ""
	if s.WorkloadJWT != "" {
		o.Policy.Grant, o.Policy.Issuer = states.WorkloadGrant, issuer
		o.Workload = func(context.Context, httpdriver.Account, []string) (string, error) { return s.WorkloadJWT, nil }
		return nil
	}
	o.Policy.Grant = states.OwnGrant
	if s.IDToken != "" {
		o.Policy.Grant, o.Policy.Binding = states.EnterpriseGrant, states.NoBinding
		o.Policy.Provider = &states.Configured{Issuer: s.IdP, ID: s.IdPClientID}
		o.Identity = func(context.Context, httpdriver.Account, httpdriver.IdentityRequest) (string, error) {
			return s.IDToken, nil
		}
	}
	o.Policy.Client = &states.Configured{Issuer: issuer, ID: s.ClientID, Secret: wire.Secret(s.ClientSecret)}
	if s.PrivateKey == "" {
		return nil
	}
	k, err := keys.Parse([]byte(s.PrivateKey), keys.Options{Alg: s.Algorithm})
	if err != nil {
		return err
	}
	o.Signer = k
	return nil
}

// visit stands in for the user and their browser. The suite's authorization endpoint
// redirects at once, so its Location is the way back.
func visit(ctx context.Context, v httpdriver.Visit) (string, error) {
	browser := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.URL, nil)
	if err != nil {
		return "", err
	}
	res, err := browser.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	location, err := res.Location()
	if err != nil {
		return "", fmt.Errorf("the authorization endpoint answered %s: %w", res.Status, err)
	}
	return location.String(), nil
}
