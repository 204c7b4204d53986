package peer

import "slices"

// Endpoints that move while a client is at work: the old address serves
// nothing from then on, and the metadata names the new one.

var moveFaults = []Fault{
	{"register-moves", "register", "asm-cache-bounded", "the registration endpoint moves once the metadata was read", nil},
	{"token-moves", "token", "asm-cache-bounded", "the token endpoint moves once a code was given out", nil},
	{"token-moves-later", "token", "issuer-refresh-bound", "the token endpoint moves once a token was issued", nil},
}

// moves says after which endpoint's success another one moves.
var moves = []struct{ fault, after, path string }{
	{"register-moves", "metadata", "/register"},
	{"token-moves", "authorize", "/token"},
	{"token-moves-later", "token", "/token"},
}

const newPlace = "/moved"

// move reacts to an answer after which an endpoint moves.
func (a *AS) move(endpoint string, r *reply) {
	for _, m := range moves {
		_, code := r.query.Get("code")
		if m.after != endpoint || !r.ok() && !code || slices.Contains(a.state.Moved, m.path) {
			continue
		}
		if a.faults.has(m.fault) {
			a.state.Moved = append(slices.Clip(a.state.Moved), m.path)
		}
	}
}

// at gives the path where an endpoint lies now.
func (a *AS) at(path string) string {
	if slices.Contains(a.state.Moved, path) {
		return newPlace + path
	}
	return path
}
