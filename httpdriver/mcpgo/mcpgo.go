// Package mcpgo lets a client of mcp-go (github.com/mark3labs/mcp-go) use a driver's logins.
//
//	httpClient, err := d.Client(httpdriver.Account{Server: url})
//	c, err := client.NewStreamableHttpClient(url, transport.WithHTTPBasicClient(httpClient))
//	_, err = c.Initialize(context.Background(), mcp.InitializeRequest{})
//	if login, ok := mcpgo.Link(err); ok {
//		fmt.Println("log in at", login.URL)
//	}
//
// A new host needs only the driver's client, which refreshes, logs in and steps up below
// mcp-go. For HTTP+SSE the option is transport.WithHTTPClient. The rest of this package
// is for hosts that already use mcp-go's own OAuth.
//
// # Guarantees
//
//   - TokenStore hands out no refresh token, so mcp-go cannot spend one beside the driver.
//   - RequiredError gives an error that is mcp-go's and the driver's at once.
//
// # Who should not use it
//
// A host that can give mcp-go the driver's client does not need TokenStore. With
// TokenStore in mcp-go's OAuth there is no step-up, and mcp-go logs in by itself when a
// login is due.
package mcpgo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mark3labs/mcp-go/client/transport"

	"github.com/stile-oauth/stile/httpdriver"
)

// ErrReadOnly says that mcp-go wanted to store a token of its own.
var ErrReadOnly = errors.New("mcpgo: the driver keeps the tokens; mcp-go may not store its own")

// TokenStore gives mcp-go's OAuth the access token of an account, which the driver
// refreshes when that is due. It never begins a login.
func TokenStore(d *httpdriver.Driver, a httpdriver.Account) transport.TokenStore {
	return tokenStore{d, a}
}

type tokenStore struct {
	d *httpdriver.Driver
	a httpdriver.Account
}

// GetToken gives the access token, without its refresh token.
func (s tokenStore) GetToken(ctx context.Context) (*transport.Token, error) {
	t, err := s.d.Token(ctx, s.a)
	if errors.Is(err, httpdriver.ErrNoToken) {
		return nil, fmt.Errorf("%w: %w", transport.ErrNoToken, err)
	}
	if err != nil {
		return nil, err
	}
	if strings.EqualFold(t.TokenType, "DPoP") {
		return nil, httpdriver.ErrBound
	}
	return &transport.Token{AccessToken: t.AccessToken, TokenType: t.TokenType, ExpiresAt: t.Expiry}, nil
}

// SaveToken returns an error, because a token from elsewhere may have cost a refresh
// token.
func (s tokenStore) SaveToken(ctx context.Context, _ *transport.Token) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return ErrReadOnly
}

// Link finds the login that a request of mcp-go's client needs, if the driver's host is
// httpdriver.Web.
func Link(err error) (*httpdriver.LoginRequiredError, bool) {
	return errors.AsType[*httpdriver.LoginRequiredError](err)
}

// RequiredError turns an error that a login would help against into one that also is
// mcp-go's OAuthAuthorizationRequiredError, for hosts that look for that. It returns any
// other error unchanged. The handler in it reads the driver's tokens. Do not log in with
// it: the link is in the driver's error.
func RequiredError(d *httpdriver.Driver, a httpdriver.Account, err error) error {
	if _, ok := Link(err); !ok && !errors.Is(err, httpdriver.ErrNoToken) {
		return err
	}
	return fmt.Errorf("%w: %w", &transport.OAuthAuthorizationRequiredError{
		Handler: transport.NewOAuthHandler(transport.OAuthConfig{TokenStore: TokenStore(d, a)}),
	}, err)
}
