package states

import "github.com/stile-oauth/stile/states/wire"

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

// ended reports whether a login has a result: a token, or why there is none.
func (d *Data) ended() bool {
	return d.Fault != nil || d.Token() != nil || d.Adopted != nil && d.Adopted.Current != nil
}

// hasServer reports whether the login knows the metadata of an issuer.
func (f *Flow) hasServer() bool { return wire.SoundIssuer(f.Server.Issuer) }
