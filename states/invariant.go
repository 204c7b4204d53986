package states

import "github.com/stile-oauth/stile/states/wire"

// The invariants of the states consist of these parts. Each says what is wrong, or is empty
// if nothing is.

// all holds if each of its parts holds; the first part that does not says why.
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

// issuerNamed holds if a login has reached one of the named issuers.
func issuerNamed(d *Data) string {
	return unless(d.Flow != nil && d.Flow.hasIssuer(), "no issuer was named")
}

// issuerFound holds if a login knows the metadata of an issuer.
func issuerFound(d *Data) string {
	return unless(d.Flow != nil && d.Flow.hasServer(), "no issuer was found")
}

// loginDrawn holds if the user can be sent to the issuer: state and verifier are drawn, and
// the issuer is known.
func loginDrawn(d *Data) string {
	if d.Flow == nil || d.Flow.State == "" || d.Flow.Verifier == "" {
		return "state and verifier were not drawn"
	}
	return issuerFound(d)
}

// wrongAnywhere says what is wrong with d in any state.
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

// hasIssuer reports whether the login has reached one of the named issuers, and whether the
// metadata of each of them can be requested.
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

func intentMarked(d *Data) string { return unless(d.Record.Intent != nil, "the intent is missing") }
