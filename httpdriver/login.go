package httpdriver

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"golang.org/x/oauth2"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

// faultError makes the typed error of a fault.
func faultError(f *states.Fault) error { return fsm.Err(*f) }

// Login logs in, even if no server has asked for a login yet and a token is held. It
// first sends one request without a token, to learn the scopes in the server's
// challenge. It asks for these, for scopes, and for what was granted before. Login is for
// a user who wants a login now: it does not wait for a login that another process began,
// because that process may have died. It joins a login that is under way in this
// process; if the user was already sent to the issuer for fewer scopes, the user is
// asked once more afterwards.
func (d *Driver) Login(ctx context.Context, a Account, scopes ...string) error {
	return d.LoginWith(ctx, a, LoginOptions{Scopes: scopes})
}

// LoginOptions say what a user wants of a login.
type LoginOptions struct {
	// Scopes are wanted beyond what the server asks for.
	Scopes []string
	// NewClient registers a new client instead of using the registered one. It is for an
	// issuer that has lost the client and shows an error page. Such a login joins only another
	// one with a new client: while a login with the registered one is under way in this process,
	// it waits for that to end and begins then.
	NewClient bool
}

// LoginWith is Login with options.
func (d *Driver) LoginWith(ctx context.Context, a Account, o LoginOptions) error {
	return d.login(ctx, a, want{login: true, byUser: true, scopes: o.Scopes, newClient: o.NewClient})
}

func (d *Driver) login(ctx context.Context, a Account, w want) error {
	s, err := d.session(a)
	if err != nil {
		return err
	}
	s.cool()
	w.announced = s.serversChallenge(ctx)
	if err := ctx.Err(); err != nil {
		return err
	}
	r := s.begin(w)
	out, err := s.wait(ctx, r)
	for {
		refused := r.want.stepUp() && out.fault != nil
		if !refused && (r.want.covers(w) || !out.missed(w)) {
			break
		}
		if need := (*LoginRequiredError)(nil); errors.As(err, &need) && need.Code != "" {
			break // it may take as long as its user does, and nothing blocks
		}
		// Login joined a step-up that was refused, which says nothing about a login, or a
		// login that had already sent its user to the issuer, or it joined a moment too late.
		// It gets what it wants in a second step, after that run.
		select {
		case <-r.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if !refused {
			w.scopes, w.newClient = wire.Union(out.requested, w.scopes), false // it has a new client, if that was wanted
		}
		r = s.begin(w)
		out, err = s.wait(ctx, r)
	}
	if out.fault != nil { // also if a token is held
		err = faultError(out.fault)
	}
	return err
}

// cool forgets what failed a moment ago, and gives the link that was offered.
func (s *session) cool() (o *offer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o = s.offer
	s.cooling, s.stepUpCooling, s.offer = cooling{}, cooling{}, nil
	return o
}

// Challenge passes a refusal to the machine that the host received itself, on a
// transport that is not the driver's. It returns nil if there is a new token to try.
func (d *Driver) Challenge(ctx context.Context, a Account, resp *http.Response) error {
	s, err := d.session(a)
	if err != nil {
		return err
	}
	_, again, err := s.challenged(ctx, s.held.Load(), nil, resp)
	if err == nil && !again {
		return ErrNotChallenged
	}
	return err
}

// ErrNotChallenged says that a refusal is not about authorization.
var ErrNotChallenged = errors.New("httpdriver: the response is no challenge that authorization could answer")

// ErrNotRevoked says that the account is logged out here, but that the token of its login
// could be neither stored nor revoked, because the store was away. It stays valid at the
// issuer until it expires, or until the user ends it there.
var ErrNotRevoked = errors.New("httpdriver: logged out, but the store was away, so the token of the last login was not revoked: end it at the issuer, or let it expire")

// Logout revokes the tokens if the issuer supports that, and removes the credential.
// The client registration stays. ErrNotRevoked says that a token could not be revoked
// because it was never stored.
func (d *Driver) Logout(ctx context.Context, a Account) error {
	return d.LogoutWith(ctx, a, LogoutOptions{})
}

// LogoutOptions say more about a log out.
type LogoutOptions struct {
	// Forget also asks the issuer to remove the client, if the issuer registered it and
	// supports that (RFC 7592). This ends every login with that client, including those
	// of other accounts and servers behind the same issuer. The client is found through the
	// credential: after a log out without Forget, there is none to remove.
	Forget bool
}

// LogoutWith is Logout with options. If the issuer does not remove the client, the
// log out is done nevertheless, and the error says so.
func (d *Driver) LogoutWith(ctx context.Context, a Account, o LogoutOptions) error {
	s, err := d.session(a)
	if err != nil {
		return err
	}
	s.held.Store(nil)
	if o := s.cool(); o != nil {
		s.withdraw(ctx, o)
	}
	_, err = s.wait(ctx, s.begin(want{logout: true, forget: o.Forget}))
	if err == nil && o.Forget {
		err = s.forgetKey(ctx)
	}
	return err
}

// ErrNoToken says that there is no credential, and that no login was begun.
var ErrNoToken = errors.New("httpdriver: no token is held; log in first")

// Token gives a valid token, refreshed if need be. It never begins a login:
// without a credential it is ErrNoToken.
func (d *Driver) Token(ctx context.Context, a Account) (*oauth2.Token, error) {
	s, err := d.session(a)
	if err != nil {
		return nil, err
	}
	t, _, err := s.ready(ctx)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, ErrNoToken
	}
	return t.oauth2(), nil
}

func (t *token) oauth2() *oauth2.Token {
	return &oauth2.Token{AccessToken: t.secret().Reveal(), TokenType: t.kind, Expiry: t.expires.time()}
}

// TokenSource gives an x/oauth2 TokenSource that refreshes and never begins a
// login: without a credential its error is ErrNoToken. ctx bounds each wait for a
// refresh, not the refresh.
//
// A transport of x/oauth2 sends its token with every request. It does not know the
// resource that the token is for, and cannot refuse addresses outside the resource, as
// Client and Transport do (ErrOutside). Use those if you do not choose the address of a
// request yourself.
func (d *Driver) TokenSource(ctx context.Context, a Account) (oauth2.TokenSource, error) {
	return d.source(ctx, a, false)
}

// LoginTokenSource is like TokenSource, but logs in if no token is held: Token may open
// a browser and wait for the user.
func (d *Driver) LoginTokenSource(ctx context.Context, a Account) (oauth2.TokenSource, error) {
	return d.source(ctx, a, true)
}

func (d *Driver) source(ctx context.Context, a Account, login bool) (oauth2.TokenSource, error) {
	if _, err := d.session(a); err != nil {
		return nil, err
	}
	return source{ctx, d, a, login}, nil
}

type source struct {
	ctx   context.Context
	d     *Driver
	a     Account
	login bool
}

func (t source) Token() (*oauth2.Token, error) {
	tok, err := t.d.Token(t.ctx, t.a)
	if !errors.Is(err, ErrNoToken) || !t.login {
		return tok, err
	}
	if err := t.d.login(t.ctx, t.a, want{login: true}); err != nil {
		return nil, err
	}
	return t.d.Token(t.ctx, t.a)
}

// Owner is the user in whose session a redirect arrived.
type Owner struct{ Tenant, Subject string }

// The refusals of Redirected.
var (
	// ErrUnknownLogin: no login waits for this redirect; it has expired, or was
	// finished already.
	ErrUnknownLogin = errors.New("httpdriver: no login waits for this redirect: it has expired or was finished already")
	// ErrForeignLogin: another user began the login (rule authz-resp-owner-bound).
	ErrForeignLogin = errors.New("httpdriver: this login was begun by somebody else")
)

// Redirected takes a redirect that the host received itself, for a login that this
// replica or another one with the same store began, and finishes the login. rawURL is the
// redirect URI with what was added to it; scheme and host may be left out. owner is the
// user in whose session the redirect arrived; it must be the user for whom the login was
// begun. The error is ErrUnknownLogin, ErrForeignLogin, or what went wrong.
func (d *Driver) Redirected(ctx context.Context, rawURL string, owner Owner) (Account, error) {
	cb, bad := wire.ParseCallback(rawURL)
	if bad != nil || cb.State == "" {
		return Account{}, ErrUnknownLogin
	}
	key := states.Key{Kind: states.KindLogin, Tenant: owner.Tenant, Name: states.StateHash(cb.State)}
	e, err := d.store.Get(ctx, key)
	if errors.Is(err, storage.ErrNotFound) {
		return Account{}, ErrUnknownLogin
	}
	if err != nil {
		return Account{}, fmt.Errorf("httpdriver: the store: %w", err)
	}
	l, err := states.DecodeLogin(wire.Secret(e.Value), e.Generation)
	if err != nil {
		return Account{}, fmt.Errorf("httpdriver: the parked login: %w", err)
	}
	c := l.Config
	if c.Tenant != owner.Tenant || c.Subject != owner.Subject {
		return Account{}, ErrForeignLogin
	}
	a := Account{Server: c.Server, Tenant: c.Tenant, Subject: c.Subject, Name: c.Account}
	if !wire.SameRedirect(l.Flow.RedirectURI, rawURL) { // the machine would wait for another one
		return a, fmt.Errorf("httpdriver: this login waits for a redirect to %s, and the URL has another address", l.Flow.RedirectURI)
	}
	m, err := fsm.Resume(l)
	if err != nil {
		return a, err
	}
	s, err := d.session(a)
	if err != nil {
		return a, err
	}
	out, err := s.wait(ctx, s.begin(want{resume: &m, redirect: wire.Secret(rawURL)}))
	if out.fault != nil { // also if a token is held
		err = faultError(out.fault)
	}
	return a, err
}
