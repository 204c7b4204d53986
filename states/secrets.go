package states

import "github.com/stile-oauth/stile/states/wire"

// Secrets lists every secret that the machine holds, so that secrets can be masked in the
// text of a peer (wire.Mask). It may list a secret twice.
// Rules: log-error-echo.
func (d *Data) Secrets() []wire.Secret {
	out := append(make([]wire.Secret, 0, 16), d.Seed, d.Spent)
	if d.Managed != nil {
		out = append(out, d.Managed.Client.Secret, d.Managed.Client.RegistrationToken)
	}
	if d.Assertion != nil {
		out = append(out, d.Assertion.Text)
	}
	out = append(out, d.proof())
	if c := d.Config; c != nil {
		out = append(out, c.InitialToken)
		for _, x := range []*Configured{c.Client, c.Provider} {
			if x != nil {
				out = append(out, x.Secret)
			}
		}
	}
	if f := d.Flow; f != nil {
		out = append(out, f.State, f.Verifier, f.Client.Secret, f.Client.RegistrationToken)
		out = append(out, wire.SecretsInCallback(f.Callback)...)
		if f.Device != nil {
			out = append(out, f.Device.Code, f.Device.UserCode)
		}
	}
	for _, r := range []*Credential{d.Record, d.Adopted} {
		if r == nil {
			continue
		}
		if r.Current != nil {
			out = append(out, r.Current.secrets()...)
		}
		for i := range r.Superseded {
			out = append(out, r.Superseded[i].secrets()...)
		}
	}
	if d.Obtained != nil {
		out = append(out, d.Obtained.secrets()...)
	}
	for i := range d.Retiring {
		out = append(out, d.Retiring[i].secrets()...)
	}
	return out
}

func (t *Token) secrets() []wire.Secret {
	return []wire.Secret{t.AccessToken, t.RefreshToken, t.Client.Secret, t.Client.RegistrationToken}
}
