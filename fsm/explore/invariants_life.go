package explore

import (
	"slices"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/transitions"
)

// The refresh, and what the store holds. Invariants without a function are checked where
// things are sent (send.go) or stored.
var (
	noOverlap = &Invariant{Name: "refresh-no-overlap", Rule: rules.RefreshTransaction,
		Says: "the same refresh token is never in two requests at once"}
	notAfterSuccess = &Invariant{Name: "refresh-not-after-success", Rule: rules.RefreshTransaction,
		Says: "no refresh token is sent after a known success, unless the process that had it was suspended until after NotAfter"}
	doubtBounded = &Invariant{Name: "doubt-bounded", Rule: rules.RefreshAmbiguousOnce,
		Says: "a refresh token whose answer was lost is sent again after a pause, until its answers have been lost for an hour or it was probably spent"}
	intentFirst = &Invariant{Name: "intent-first", Rule: rules.RefreshTransaction,
		Says: "when a refresh token is sent, the store holds the intent"}
	familyAlive = &Invariant{Name: "family-alive", Rule: rules.RefreshTransaction,
		Says: "reuse detection never revokes the family unless an answer was lost, or a process died or was suspended"}
	winnerKept = &Invariant{Name: "winner-kept", Rule: rules.RefreshStaleRestore,
		Says: "a working stored refresh token is never replaced by a dead one"}
	refreshTokenKept = &Invariant{Name: "refresh-token-kept", Rule: rules.RefreshInvalidGrantTerminal,
		Says: "a stored refresh token is removed only when its issuer refused it, another replaced it, or somebody logged out"}
	notResurrected = &Invariant{Name: "not-resurrected", Rule: rules.LogoutConditional,
		Says: "a refresh does not bring back a credential that was removed"}
	leaseReturned = &Invariant{Name: "lease-returned", Rule: rules.RefreshTransaction,
		Says: "a machine that leaves the refresh has released the lease", step: leaseBack}
)

// At rest, and on the path there.
var (
	tokenKept = &Invariant{Name: "token-kept", Rule: rules.RefreshValidTokenUsable,
		Says: "a usable token is not lost by a transient failure, or because another one could not be obtained", step: usableKept}
	loginNeeded = &Invariant{Name: "login-needed", Rule: rules.Refresh401One,
		Says: "no login continues after setting its mark, and no user is sent to a browser, while the store holds a credential that works", step: needed, visited: neededVisit}
	loginsBounded = &Invariant{Name: "logins-bounded", Rule: rules.ChallengeFreshTokenLoop,
		Says: "at most two logins in a row without a token that the resource accepted, and six visits in a login", step: loginBound}
	retriesBounded = &Invariant{Name: "retries-bounded", Rule: rules.NetBackoffBounded,
		Says: "the same request is made at most five times in a row", step: retryBound}
	stepUpsBounded = &Invariant{Name: "step-ups-bounded", Rule: rules.StepupRetryLimit,
		Says: "at most one step-up for a set of scopes and three in all, within an hour", step: stepUpBound}
	staleIdle = &Invariant{Name: "stale-challenge-idle", Rule: rules.Refresh401One,
		Says: "a challenge to an older token starts nothing, unless it asks for a scope that the newer one does not have", step: staleHolds}
	plainIdle = &Invariant{Name: "plain-403-idle", Rule: rules.Challenge403WithoutChallenge,
		Says: "a 403 without a challenge starts nothing", step: plainHolds}
	cancelWaits = &Invariant{Name: "cancel-waits", Rule: rules.HouseCancel,
		Says: "a cancellation does not lose the answer to a question marked Once", step: cancelHolds}
	markWithdrawn = &Invariant{Name: "mark-withdrawn", Rule: rules.RegSingleFlight,
		Says: "at rest, the machine's own mark is removed", step: markGone}
	loginWithdrawn = &Invariant{Name: "login-withdrawn", Rule: rules.AuthzRespStateOnce,
		Says: "at rest, the machine's own parked login is removed, so that its callback finds nothing", step: loginGone}
	failureSaid = &Invariant{Name: "failure-said", Rule: rules.LogFirstCause,
		Says: "a failure states its reason and cites a rule", step: saidWhy}
)

// retiresOld is about what is revoked although nobody has logged out.
func retiresOld(m *moment, s states.Send) string {
	token, revoke := s.Request.Form.Get("token")
	t := m.r.Machine.Data.Token()
	if !revoke || m.r.Machine.State != states.Retiring || t == nil {
		return ""
	}
	if token == t.AccessToken.Reveal() || token == t.RefreshToken.Reveal() {
		return "the grant in use is revoked"
	}
	if g := m.actor().granted; g == nil || g.Generation != t.Generation {
		return "a grant is revoked before its successor was handed out"
	}
	return ""
}

func leaseBack(m *moment) string {
	if a := m.actor(); !states.HoldsLease(m.r.Machine.State) && a.fence != 0 {
		return "the lease is kept in " + string(m.r.Machine.State)
	}
	return ""
}

func usableKept(m *moment) string {
	s := m.r.Machine.State
	if !m.before.Data.Usable(m.at) || s != states.Failed && s != states.Anonymous ||
		m.r.Machine.Data.Rejected == m.before.Data.Token().Generation {
		return "" // nothing was held, or it was refused
	}
	if _, read := m.in.(states.Loaded); read && m.r.Machine.Data.Record != nil && m.r.Machine.Data.Token() == nil {
		return "" // the store was just read, and no longer holds a grant
	}
	switch m.r.Event {
	case transitions.CredentialGone, transitions.RecordUnreadable, transitions.RecordUnbound, transitions.LogoutDone,
		transitions.CredentialMissing, transitions.GoneUnrevocable, transitions.Disposed, transitions.CredentialSpent:
		return "" // the store no longer has it
	}
	switch m.before.State {
	case states.Recalling, states.Revoking, states.Erasing, states.Loading, states.Idle, states.Failed, states.Anonymous:
		return "" // asked for, or nothing was held yet
	default: // the others need nothing here
	}
	return string(m.r.Event) + " ends in " + string(s) + " with a usable token in hand"
}

// needed: a login that nobody asked for does not begin, and no login continues after its
// mark while the store holds a credential that works.
func needed(m *moment) string {
	d := &m.r.Machine.Data
	if m.w.net == nil || d.Flow == nil {
		return ""
	}
	if began(m) && d.Flow.Why == states.WhyRequested && !m.actor().asked && m.w.ghost.trips == nil {
		return "a login that nobody asked for"
	}
	switch m.r.Event {
	case transitions.StillNeeded, transitions.MetadataKnown, transitions.ScopesToChoose:
		if d.Flow.Server.Issuer == "" || m.r.Event == transitions.MetadataKnown {
			return stillNeeded(m)
		}
	}
	return ""
}

// neededVisit: the same when a user is sent to a browser.
func neededVisit(m *moment, _ *states.Visit) string {
	if m.w.net == nil || m.w.ghost.outlived {
		return ""
	}
	return stillNeeded(m)
}

// stillNeeded: what the store holds now, no matter which process wrote it and when, must be
// useless for the login under way.
func stillNeeded(m *moment) string {
	d := &m.r.Machine.Data
	e := m.w.store.Find(m.w.at, d.Config.CredentialKey())
	if e == nil || e.Credential == nil || e.Credential.Current == nil {
		return ""
	}
	t, mine := e.Credential.Current, d.Token()
	if t.Generation != d.Rejected && m.w.standing(t.AccessToken.Reveal()) == "live" && (t.Expires.IsZero() || m.w.at.Before(t.Expires)) {
		switch other := mine == nil || mine.Generation != t.Generation; d.Flow.Why {
		case states.WhyRequested: // for another token than the held one
			// A refresh of the held token is not another login, although its record may
			// say so until a token of that login has been accepted.
			if g := &m.w.ghost; other && mine != nil && g.login(t.AccessToken.Reveal()) == g.login(mine.AccessToken.Reveal()) {
				return ""
			}
			if other && t.Climbed.LoggedIn {
				return "the store holds the token of another login, and it was not looked at"
			}
		case states.WhyStepUp:
			if wire.Covers(t.Granted, d.Flow.Scopes) {
				return "the store holds a token of the scope that is asked for, and it was not looked at"
			}
		default:
			return "the store holds a token that works, and it was not looked at"
		}
	}
	if d.Flow.Why == states.WhyRequested || d.Flow.Why == states.WhyStepUp {
		return ""
	}
	if e.Credential.GivenUp() {
		return "" // the record says that the refresh token is not to be sent
	}
	x := m.w.ghost.secret(t.RefreshToken.Reveal())
	if x == nil || x.condemned || t.Climbed.Refreshed || m.w.ghost.unknown(x.value) > 1 {
		return ""
	}
	if m.w.standing(x.value) == "live" {
		return "the store holds a refresh token that works, and it was not used"
	}
	return ""
}

func (g *ghost) unknown(token string) (n int) {
	for _, p := range g.spends {
		if p.token == token && p.outcome == unknown {
			n++
		}
	}
	return n
}

func loginBound(m *moment) string {
	a := m.actor()
	switch {
	case a.logins > 2:
		return "a third login without a token that was taken"
	case a.trips > 6:
		return "a seventh visit in one login"
	}
	return ""
}

func retryBound(m *moment) string {
	if m.actor().same > 5 {
		return "sent six times: " + m.actor().last
	}
	return ""
}

func stepUpBound(m *moment) string {
	if s := m.clears(); s != "" || m.r.Event != transitions.StepUpCounted || m.w.ghost.storeFault {
		return s
	}
	now, all, same := m.r.Machine.Data.Flow.Scopes, 0, 0
	for _, s := range m.w.ghost.stepUps {
		if m.at.Sub(s.at) < time.Hour {
			all++
			if wire.EqualScopes(s.scopes, now) {
				same++
			}
		}
	}
	if all > 3 || same > 1 {
		return "more scope is asked for too often"
	}
	return ""
}

func staleHolds(m *moment) string {
	in, ok := m.in.(states.Challenged)
	if !ok || m.before.State != states.Authorized || m.before.Data.Token() == nil {
		return ""
	}
	t := m.before.Data.Token()
	c, _ := wire.JudgeChallenge(in.Response, m.before.Data.Config.Resource, m.before.Data.Config.Binding != states.NoBinding)
	if in.Generation != 0 && c.HasScope && !wire.Covers(t.Granted, c.Scopes) && m.r.Event == transitions.ScopeShort {
		return ""
	}
	if in.Generation != t.Generation && m.r.Machine.State != states.Authorized {
		return string(m.r.Event) + " on a challenge to an older token"
	}
	return ""
}

func plainHolds(m *moment) string {
	in, ok := m.in.(states.Challenged)
	if ok && in.Response.Status == 403 && len(in.Response.Header.Header("WWW-Authenticate")) == 0 && m.r.Machine.State != m.before.State {
		return string(m.r.Event) + " on a 403 without a challenge"
	}
	return ""
}

func cancelHolds(m *moment) string {
	if _, ok := m.in.(states.Cancelled); !ok {
		return ""
	}
	if s, is := m.actor().q.(states.Send); is && s.Once && m.r.Machine.State == m.before.State {
		return ""
	}
	switch m.before.State {
	case states.Registering, states.Exchanging, states.Refreshing, states.Saving, states.Rotating, states.Resaving:
		if m.r.Machine.State != m.before.State {
			return "cancelling leaves " + string(m.before.State)
		}
	default: // the others need nothing here
	}
	return ""
}

func markGone(m *moment) string {
	a := m.actor()
	if a.mark == 0 || !states.Resting(m.r.Machine.State) || m.w.ghost.storeFault {
		return ""
	}
	if e := m.w.store.Find(m.w.at, m.r.Machine.Data.Config.MarkKey()); e != nil && e.Generation == a.mark {
		return "the mark of the login is still there"
	}
	return ""
}

func loginGone(m *moment) string {
	a := m.actor()
	if a.login == 0 || !states.Resting(m.r.Machine.State) || m.w.ghost.storeFault {
		return ""
	}
	if e := m.w.store.Find(m.w.at, a.loginKey); e != nil && e.Generation == a.login {
		return "the parked login is still there"
	}
	return ""
}

func saidWhy(m *moment) string {
	if m.r.Machine.State != states.Failed || m.before.State == states.Failed {
		return ""
	}
	said := slices.ContainsFunc(m.r.Effects, func(e states.Effect) bool {
		r, ok := e.(states.Report)
		return ok && r.Fault.Problem.Rule != ""
	})
	if !said {
		return string(m.r.Event) + " fails without a word"
	}
	return ""
}
