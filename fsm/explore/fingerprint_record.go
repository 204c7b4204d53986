package explore

import (
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

func (e *encoder) credential(c *states.Credential) {
	if c == nil {
		e.byte(0)
		return
	}
	e.byte(1)
	e.grant(c.Current)
	e.num(len(c.Superseded))
	for i := range c.Superseded {
		e.grant(&c.Superseded[i])
	}
	if c.Intent == nil {
		e.byte(0)
		return
	}
	e.num(c.Intent.Attempt)
	e.text(c.Intent.Holder)
	e.time(c.Intent.Until)
	e.time(c.Intent.Since)
	e.time(c.Intent.Sent)
	e.flags(c.Intent.Lost, c.Intent.GivenUp)
}

func (e *encoder) grant(t *states.Token) {
	if t == nil {
		e.byte(0)
		return
	}
	e.byte(1)
	e.token(t.Generation)
	e.secret(t.AccessToken.Reveal())
	e.secret(t.RefreshToken.Reveal())
	e.time(t.Received)
	e.time(t.Expires)
	e.texts(t.Granted)
	e.texts(t.Requested)
	e.server(&t.Server)
	e.client(&t.Client)
	e.provider(t.Provider)
	e.text(t.Resource)
	e.text(t.Metadata)
	e.text(string(t.Revision))
	e.text(string(t.Grant))
	e.text(t.RedirectURI)
	e.texts(t.Listed)
	e.token(t.Login)
	e.num(len(t.Quirks))
	for _, q := range t.Quirks {
		e.text(string(q.Name))
		e.texts(q.Values)
	}
	if !t.Decided.IsZero() {
		e.time(t.Decided)
	}
	if t.Thumbprint != "" {
		e.text(t.Thumbprint)
	}
	e.flags(t.Rotates, t.Climbed.Refreshed, t.Climbed.LoggedIn, t.ClientDead)
}

func (e *encoder) server(s *wire.ASM) {
	e.text(s.Issuer)
	if s.Issuer == "" {
		return
	}
	e.text(s.AuthorizationEndpoint)
	e.text(s.TokenEndpoint)
	e.text(s.RegistrationEndpoint)
	e.text(s.RevocationEndpoint)
	e.texts(s.AuthMethods)
	e.text(s.DeviceEndpoint)
	if len(s.ProofAlgs) > 0 {
		e.texts(s.ProofAlgs)
	}
	e.texts(s.GrantTypes)
	e.texts(s.ScopesSupported)
	e.flags(s.Iss, s.CIMD, s.Defaults)
}

func (e *encoder) provider(p *states.Provider) {
	e.flags(p != nil)
	if p != nil {
		e.server(&p.Server)
		e.client(&p.Client)
	}
}

func (e *encoder) client(c *wire.Client) {
	e.secret(c.ID)
	e.secret(c.Secret.Reveal())
	e.text(c.Method)
	e.text(c.Source)
	e.texts(c.Refused)
	e.flags(c.Inferred, c.Raw)
	e.time(c.SecretExpires)
	e.texts(c.RedirectURIs)
	e.secret(c.RegistrationToken.Reveal())
	e.text(c.RegistrationURI)
}

func (e *encoder) flow(f *states.Flow) {
	if f == nil {
		e.byte(0)
		return
	}
	e.text(string(f.Why))
	e.time(f.Deadline)
	e.time(f.Since)
	e.entry(f.Mark)
	e.time(f.MarkUntil)
	e.text(string(f.Revision))
	e.flags(f.Legacy, f.Trouble, f.Challenged, f.Adjusted, f.Climbed.Refreshed, f.Climbed.LoggedIn, f.Named, f.MetadataReadAgain, f.Demanded, f.NewClient, f.NoDocument, f.Unread, f.Binds)
	e.texts(f.Candidates)
	e.num(f.Candidate)
	e.problem(f.Unusable)
	e.problem(f.Remembered)
	e.text(f.Metadata)
	e.text(f.Resource)
	e.texts(f.Listed)
	e.texts(f.Issuers)
	e.num(f.Issuer)
	e.server(&f.Server)
	e.texts(f.Scopes)
	e.num(f.ScopeTurn)
	e.num(int(f.Trimmed))
	e.client(&f.Client)
	e.provider(f.Provider)
	e.entry(f.Registration)
	e.num(f.Registered)
	e.text(f.Filed)
	e.secret(f.Refused)
	e.text(f.RedirectURI)
	e.secret(f.State.Reveal())
	e.secret(f.Verifier.Reveal())
	e.entry(f.Login)
	e.texts(f.Requested)
	e.callback(f.Callback)
	e.num(f.Again)
	e.flags(f.Lost, f.Gone)
	e.ledger(&f.Ledger)
	e.entry(f.LedgerAt)
}

func (e *encoder) ledger(l *states.Ledger) {
	e.num(len(l.Attempts))
	for i := range l.Attempts {
		e.texts(l.Attempts[i].Scopes)
		e.time(l.Attempts[i].At)
	}
}

// callback writes a callback by its parts: its code and state are secrets.
func (e *encoder) callback(u wire.Secret) {
	if u == "" {
		e.byte(0)
		return
	}
	cb, bad := wire.ParseCallback(u.Reveal())
	if bad != nil {
		e.byte(2)
		return
	}
	e.byte(1)
	e.secret(cb.Code.Reveal())
	e.secret(cb.State.Reveal())
	e.texts(cb.Iss)
	e.texts(cb.Repeated)
	if cb.Error != nil {
		e.text(string(cb.Error.Code))
	}
}
