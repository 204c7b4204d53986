package trace

import (
	"errors"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// record replaces the secrets in a stored value, decoded field by field. Members that
// this release does not know are left out, because nothing reads them.
func (m *mask) record(kind states.Kind, value wire.Secret) wire.Secret {
	var out any
	switch kind {
	case states.KindRegistration:
		r, err := states.DecodeRegistration(value)
		if err != nil {
			return unreadable(err)
		}
		r.Client, r.Issuer, r.Unknown = m.client(r.Client), m.keep(r.Issuer), nil
		out = r
	case states.KindLogin: // the only one that is loaded is one at another device
		l, err := states.DecodeDeviceLogin(value)
		if err != nil {
			return unreadable(err)
		}
		l.Flow = m.flow(l.Flow)
		out = l
	case states.KindMark:
		k := states.DecodeMark(value)
		k.Holder = m.person(kindHolder, k.Holder)
		out = k
	case states.KindLedger:
		out = m.ledger(states.DecodeLedger(value))
	default:
		c, err := states.DecodeCredential(value)
		if errors.Is(err, states.ErrRecordUnbound) {
			return `{"version":1,"current":{"server":{"issuer":""}}}`
		}
		if err != nil {
			return unreadable(err)
		}
		out = m.credential(c)
	}
	s, err := states.Encode(out)
	if err != nil {
		return "unreadable"
	}
	return s
}

// unreadable replaces a record that cannot be read by one that cannot be read for the
// same reason.
func unreadable(err error) wire.Secret {
	if errors.Is(err, states.ErrRecordVersion) {
		return `{"version":99}`
	}
	return "unreadable"
}

func (m *mask) credential(real *states.Credential) *states.Credential {
	if real == nil {
		return nil
	}
	c := *real
	if c.Intent != nil {
		i := *c.Intent
		i.Holder = m.person(kindHolder, i.Holder)
		c.Intent = &i
	}
	c.Current, c.Superseded, c.Unknown = m.grant(c.Current), m.grants(c.Superseded), jsontext.Value(nil)
	return &c
}

func (m *mask) grants(real []states.Token) []states.Token {
	if real == nil {
		return nil
	}
	out := slices.Clone(real)
	for i := range out {
		out[i] = *m.grant(&out[i])
	}
	return out
}

func (m *mask) grant(real *states.Token) *states.Token {
	if real == nil {
		return nil
	}
	t := *real
	t.AccessToken, t.RefreshToken = m.secret(kindAccess, t.AccessToken), m.secret(kindRefresh, t.RefreshToken)
	t.Client = m.client(t.Client)
	t.Server = m.server(t.Server)
	t.Provider = m.provider(t.Provider)
	t.Granted, t.Requested, t.Listed = m.keepAll(t.Granted), m.keepAll(t.Requested), m.keepAll(t.Listed)
	t.Resource, t.Metadata = m.keep(t.Resource), m.keep(t.Metadata)
	return &t
}

func (m *mask) provider(real *states.Provider) *states.Provider {
	if real == nil {
		return nil
	}
	return &states.Provider{Server: m.server(real.Server), Client: m.client(real.Client)}
}

func (m *mask) client(c wire.Client) wire.Client {
	c.ID, c.Secret = m.keep(c.ID), m.secret(kindClientSecret, c.Secret)
	c.RegistrationToken = m.secret(kindManage, c.RegistrationToken)
	c.RegistrationURI = m.manageURI(c.RegistrationURI)
	c.RedirectURIs, c.Key = m.keepAll(c.RedirectURIs), m.keep(c.Key)
	return c
}

func (m *mask) server(a wire.ASM) wire.ASM {
	for _, s := range [...]*string{
		&a.Issuer, &a.AuthorizationEndpoint, &a.TokenEndpoint, &a.RegistrationEndpoint, &a.RevocationEndpoint,
		&a.IntrospectionEndpoint, &a.DeviceEndpoint, &a.JWKSURI, &a.ServiceDocumentation,
	} {
		*s = m.keep(*s)
	}
	a.ScopesSupported = m.keepAll(a.ScopesSupported)
	return a
}

// data replaces the secrets in the facts of a machine that had begun before recording
// did.
func (m *mask) data(real *states.Data, config *states.Config, seed wire.Secret) states.Data {
	d := *real
	d.Config = config
	d.Seed = seed
	d.Record, d.Adopted, d.Obtained = m.credential(d.Record), m.credential(d.Adopted), m.grant(d.Obtained)
	d.Spent, d.Retiring = m.secret(kindRefresh, d.Spent), m.grants(d.Retiring)
	if d.Managed != nil {
		f := *d.Managed
		f.Issuer, f.Client = m.keep(f.Issuer), m.client(f.Client)
		d.Managed = &f
	}
	if d.Assertion != nil {
		a := *d.Assertion
		a.ID, a.Text = m.sub(kindAssertion, a.ID), wire.Secret(m.jwt(kindAssertion, a.Text.Reveal()))
		d.Assertion = &a
	}
	if d.Proof != nil {
		p := *d.Proof
		p.ID, p.Text, p.Nonce = m.sub(kindProof, p.ID), m.secret(kindProof, p.Text), m.sub(kindNonce, p.Nonce)
		d.Proof = &p
	}
	if d.Nonce != nil {
		n := *d.Nonce
		n.Issuer, n.Value = m.keep(n.Issuer), m.sub(kindNonce, n.Value)
		d.Nonce = &n
	}
	d.Wanted, d.RefusedClient = m.keepAll(d.Wanted), m.keep(d.RefusedClient)
	if d.Challenge != nil {
		c := *d.Challenge
		c.Metadata, c.Scopes, c.Error, c.Notes = m.keep(c.Metadata), m.keepAll(c.Scopes), wire.ErrorCode(m.ident(string(c.Error))), nil
		c.Unusable = m.problem(c.Unusable)
		d.Challenge = &c
	}
	if d.Flow != nil {
		d.Flow = m.flow(d.Flow)
	}
	if d.Fault != nil {
		f := *d.Fault
		f.Problem = *m.problem(&f.Problem)
		f.First, f.Peer = m.problem(f.First), m.keep(f.Peer)
		d.Fault = &f
	}
	d.Notes = nil
	return d
}

func (m *mask) flow(real *states.Flow) *states.Flow {
	f := *real
	f.State, f.Verifier = m.secret(kindState, f.State), m.secret(kindVerifier, f.Verifier)
	if f.Callback != "" {
		f.Callback = wire.Secret(m.redirected(f.Callback.Reveal(), f.RedirectURI))
	}
	if f.Device != nil {
		dev := *f.Device
		dev.Code, dev.UserCode = m.secret(kindCode, dev.Code), m.secret(kindUserCode, dev.UserCode)
		dev.URL, dev.Complete = m.keep(dev.URL), ""
		f.Device = &dev
	}
	f.Client, f.Server, f.Provider = m.client(f.Client), m.server(f.Server), m.provider(f.Provider)
	f.Candidates, f.Issuers, f.Scopes = m.keepAll(f.Candidates), m.keepAll(f.Issuers), m.keepAll(f.Scopes)
	f.Listed, f.Requested = m.keepAll(f.Listed), m.keepAll(f.Requested)
	f.Metadata, f.Resource, f.Refused = m.keep(f.Metadata), m.keep(f.Resource), m.keep(f.Refused)
	f.RedirectURI = m.keep(f.RedirectURI)
	f.Ledger = m.ledger(f.Ledger)
	f.Unusable, f.Remembered = m.problem(f.Unusable), m.problem(f.Remembered)
	return &f
}

func (m *mask) ledger(l states.Ledger) states.Ledger {
	l.Attempts = slices.Clone(l.Attempts)
	for i := range l.Attempts {
		l.Attempts[i].Scopes = m.keepAll(l.Attempts[i].Scopes)
	}
	return l
}

// problem keeps rule and code. A text of a peer or a driver is replaced by its length.
func (m *mask) problem(real *wire.Problem) *wire.Problem {
	if real == nil {
		return nil
	}
	p := *real
	p.Detail = freeText(len(p.Detail))
	if p.OAuth != nil {
		p.OAuth = &wire.OAuthError{
			Code: wire.ErrorCode(m.ident(string(p.OAuth.Code))), Raw: m.ident(p.OAuth.Raw),
			Description: freeText(len(p.OAuth.Description)), URI: freeText(len(p.OAuth.URI)),
		}
	}
	return &p
}
