package peer

import (
	"slices"
	"time"
)

// Standing says what has become of something that this server issued, by its
// value: "live", "spent" (a code or a refresh token that was used), "revoked",
// "expired" or, when the server does not know it, "". It is for those who
// explore or test clients; no endpoint tells as much.
func (a *AS) Standing(at time.Time, value string) string {
	sum := hash(value)
	if i := slices.IndexFunc(a.state.Refresh, func(t refreshToken) bool { return t.Hash == sum }); i >= 0 {
		t := a.state.Refresh[i]
		return a.standing(at, t.Grant, t.Expires, !t.Spent.IsZero())
	}
	if i := slices.IndexFunc(a.state.Access, func(t accessToken) bool { return t.Hash == sum }); i >= 0 {
		t := a.state.Access[i]
		return a.standing(at, t.Grant, t.Expires, false)
	}
	if i := slices.IndexFunc(a.state.Codes, func(c code) bool { return c.Hash == sum }); i >= 0 {
		c := a.state.Codes[i]
		return a.standing(at, c.Grant, c.Expires, c.Used)
	}
	if a.client(value) != nil {
		return "live"
	}
	return ""
}

func (a *AS) standing(at time.Time, grant string, expires time.Time, spent bool) string {
	g := a.state.grant(grant)
	switch {
	case g == nil || g.Revoked:
		return "revoked"
	case spent:
		return "spent"
	case !at.Before(expires):
		return "expired"
	}
	return "live"
}
