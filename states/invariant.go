package states

import "github.com/stile-oauth/stile/states/wire"

// What must hold in a state is made of these parts. Each says what is wrong;
// empty when nothing is.

// all holds where each of its parts does; the first that does not says why.
func all(parts ...func(*Data) string) func(*Data) string {
	return func(d *Data) string {
		for _, part := range parts {
			if wrong := part(d); wrong != "" {
				return wrong
			}
		}
		return ""
	}
}

func unless(holds bool, wrong string) string {
	if holds {
		return ""
	}
	return wrong
}

func noLogin(d *Data) string       { return unless(d.Flow == nil, "a login is under way") }
func loginUnderWay(d *Data) string { return unless(d.Flow != nil, "no login is under way") }
func tokenHeld(d *Data) string     { return unless(d.Token() != nil, "no token is held") }
func tokenObtained(d *Data) string { return unless(d.Obtained != nil, "nothing was obtained") }
func leaseHeld(d *Data) string     { return unless(d.Lease.Fence != 0, "the lease is not held") }
func toRevoke(d *Data) string      { return unless(len(d.Retiring) > 0, "nothing is left to revoke") }

// issuerNamed holds where a login has come to one of the issuers that were
// named.
func issuerNamed(d *Data) string {
	return unless(d.Flow != nil && d.Flow.hasIssuer(), "no issuer was named")
}

// issuerFound holds where a login knows the metadata of an issuer.
func issuerFound(d *Data) string {
	return unless(d.Flow != nil && d.Flow.hasServer(), "no issuer was found")
}

// loginDrawn holds where a login can be visited: state and verifier are drawn,
// and the issuer is known.
func loginDrawn(d *Data) string {
	if d.Flow == nil || d.Flow.State == "" || d.Flow.Verifier == "" {
		return "state and verifier were not drawn"
	}
	return issuerFound(d)
}

// wrongAnywhere says what is wrong with d in whatever state.
func wrongAnywhere(d *Data) string {
	if d.Tries < 0 || d.Rounds < 0 || d.Flow != nil && (d.Flow.Candidate < 0 || d.Flow.Issuer < 0) {
		return "a count is negative"
	}
	if d.Flow != nil && d.Flow.Server.Issuer != "" && !d.Flow.hasServer() {
		return "what the login found out is of no issuer"
	}
	held := []*Token{d.Token(), d.Obtained}
	if d.Adopted != nil {
		held = append(held, d.Adopted.Current)
	}
	for _, t := range held {
		if t != nil && !wire.SoundIssuer(t.Server.Issuer) {
			return "there is a token that no issuer gave"
		}
	}
	return ""
}

// hasIssuer reports whether the login has come to one of the issuers that were
// named, and the metadata of each of them can be asked for.
func (f *Flow) hasIssuer() bool {
	for _, issuer := range f.Issuers {
		if !wire.SoundIssuer(issuer) {
			return false
		}
	}
	return f.Issuer < len(f.Issuers)
}

// hasServer reports whether the login knows the metadata of an issuer.
func (f *Flow) hasServer() bool { return wire.SoundIssuer(f.Server.Issuer) }
