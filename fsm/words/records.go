package words

import (
	"fmt"
	"strings"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// Value shows the parts of a stored value that matter in scripts.
func (p Printer) Value(k states.Kind, v wire.Secret) string {
	switch k {
	case states.KindCredential:
		c, err := states.DecodeCredential(v)
		if err != nil {
			return err.Error()
		}
		return p.credential(c)
	case states.KindRegistration:
		r, err := states.DecodeRegistration(v)
		if err != nil {
			return err.Error()
		}
		return p.client(r.Client) + " at " + r.Issuer
	case states.KindLogin:
		if l, err := states.DecodeDeviceLogin(v); err == nil {
			return "login of " + l.Flow.Client.ID + " at another device, at " + l.Flow.Server.Issuer + ", asked every " + l.Flow.Device.Interval.String()
		}
		l, err := states.DecodeLogin(v, 0)
		if err != nil {
			return err.Error()
		}
		return "login of " + l.Flow.Client.ID + " at " + l.Flow.Server.Issuer
	case states.KindMark:
		var m states.Mark
		if err := states.Decode(v, &m); err != nil {
			return err.Error()
		}
		return "set by " + quoted(m.Holder)
	case states.KindLedger:
		l := states.DecodeLedger(v)
		var parts []string
		for _, a := range l.Attempts {
			parts = append(parts, strings.Join(a.Scopes, " ")+" at "+p.Clock(a.At))
		}
		return strings.Join(parts, "; ")
	case states.KindProofKey: // no machine writes this
	}
	return ""
}

func quoted(s string) string {
	if s == "" {
		return "nobody in particular"
	}
	return s
}

func (p Printer) credential(c *states.Credential) string {
	s := "no grant"
	if t := c.Current; t != nil {
		s = p.token(t)
	}
	if t := c.Current; t != nil && t.ClientDead {
		s += "\n  the issuer no longer knows the client"
	}
	for _, t := range c.Superseded {
		s += "\n  superseded: " + p.token(&t)
	}
	if c.Intent != nil {
		s += "\n  " + p.intent(c.Intent)
	}
	return s
}

func (p Printer) intent(i *states.Intent) string {
	switch by := fmt.Sprintf("intent of %s, attempt %d, ", quoted(i.Holder), i.Attempt); {
	case i.GivenUp:
		return by + "the refresh token is given up"
	case i.Lost:
		return by + "its answer lost, in doubt since " + p.Clock(i.Since) + ", again from " + p.Clock(i.Until)
	default:
		return by + "until " + p.Clock(i.Until)
	}
}

func (p Printer) token(t *states.Token) string {
	s := fmt.Sprintf("%s access %s", p.generation(t.Generation), t.AccessToken.Reveal())
	if t.RefreshToken != "" {
		s += " refresh " + t.RefreshToken.Reveal()
	}
	s += " granted (" + strings.Join(t.Granted, " ") + ") expires " + p.Clock(t.Expires) + " from " + t.Server.Issuer + " for " + t.Client.ID
	return s
}

func (p Printer) client(c wire.Client) string {
	s := c.ID + " method " + c.Method
	if c.Secret != "" {
		s += " secret " + c.Secret.Reveal()
	}
	if !c.SecretExpires.IsZero() {
		s += " until " + p.Clock(c.SecretExpires)
	}
	return s + " redirects (" + strings.Join(c.RedirectURIs, " ") + ")"
}
