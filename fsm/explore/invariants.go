package explore

import (
	"net/url"
	"strings"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Invariant is something that holds in every situation, or at every step into
// one. Rule is the rule of docs/rules.md that it keeps.
type Invariant struct {
	Name string
	Rule rules.ID
	Says string

	step    func(*moment) string                // after a step
	asked   func(*moment, states.Send) string   // when a request is asked for
	visited func(*moment, *states.Visit) string // when a user is sent somewhere
}

// Invariants lists all, in the order in which docs/exploration.md does.
func Invariants() []*Invariant {
	return []*Invariant{
		total, pure, refusedKeeps, staleRefused, snapshotSame, questionLast, stateHolds, ends,
		secretHome, foreignCode, noSecretInURL, urlsSafe, resourceAlways, pkceOnce, assertionOnce, proofOnce, proofRetried, boundAsBound, identityHome, grantOnce, noBrowser, codeOnce, onceMarked, inUseKept, grantHome, grantFresh,
		noOverlap, notAfterSuccess, doubtBounded, intentFirst, familyAlive, winnerKept, refreshTokenKept, notResurrected, leaseReturned,
		tokenKept, loginNeeded, loginsBounded, retriesBounded, stepUpsBounded, staleIdle, plainIdle, cancelWaits,
		markWithdrawn, loginWithdrawn, failureSaid,
	}
}

// The contract of the machine (fsm/doc.go).
var (
	total = &Invariant{Name: "answers-taken", Rule: rules.HouseAskAgain,
		Says: "every answer that a question allows is taken, whatever a peer put into it; the machine never panics"}
	pure = &Invariant{Name: "machine-a-value", Rule: rules.HouseAskAgain,
		Says: "a step does not change the machine that it was given"}
	refusedKeeps = &Invariant{Name: "refused-changes-nothing", Rule: rules.HouseAskAgain,
		Says: "an input that is refused leaves the machine as it was"}
	staleRefused = &Invariant{Name: "stale-refused", Rule: rules.HouseAskAgain,
		Says: "an answer that comes a second time is refused"}
	snapshotSame = &Invariant{Name: "snapshot-same", Rule: rules.StoreVersioned,
		Says: "a machine that is written and read back is the same machine"}
	questionLast = &Invariant{Name: "one-question-last", Rule: rules.HouseAskAgain,
		Says: "at most one question is asked, it comes last and carries the machine's serial; a row that holds asks nothing", step: questions}
	stateHolds = &Invariant{Name: "state-invariant", Rule: rules.HouseAskAgain,
		Says: "the invariant of a state holds on entering it",
		step: func(m *moment) string { return states.Invariant(m.r.Machine.State, &m.r.Machine.Data) }}
	ends = &Invariant{Name: "ends-or-waits", Rule: rules.NetBackoffBounded,
		Says: "from every situation, with honest peers and a working store, a run rests or waits for the user within 2000 steps"}
)

func questions(m *moment) string {
	for i, e := range m.r.Effects {
		serial, question := states.SerialOfEffect(e)
		if !question {
			continue
		}
		if _, ok := e.(states.Visit); ok && m.before.State != states.Parking {
			serial = m.r.Machine.Data.Serial // still the visit of before
		}
		switch {
		case i != len(m.r.Effects)-1:
			return "a question does not come last"
		case m.r.Held:
			return "a row that holds asks a question"
		case serial != m.r.Machine.Data.Serial:
			return "a question has another serial than the machine"
		}
	}
	return ""
}

// Secrets and requests.
var (
	secretHome = &Invariant{Name: "secret-home", Rule: rules.IssuerNoCrossUse,
		Says: "a code, a verifier, a token or a client secret goes only to the issuer it belongs to; an initial access token only when that issuer has demanded it", asked: secretsAtHome}
	foreignCode = &Invariant{Name: "no-foreign-code", Rule: rules.AuthzRespStateMatch,
		Says: "a code that is not the answer to this machine's own request is never exchanged", asked: ownCode}
	noSecretInURL = &Invariant{Name: "no-secret-in-url", Rule: rules.TokenReqNoQuery,
		Says:    "no address holds a token, a code, a verifier or a client secret",
		asked:   func(m *moment, s states.Send) string { return m.secretIn(s.Request.URL) },
		visited: func(m *moment, v *states.Visit) string { return m.secretIn(v.URL.Reveal()) }}
	urlsSafe = &Invariant{Name: "https-and-no-redirected-post", Rule: rules.NetRedirectPost,
		Says: "every address is https, and no POST follows a redirect", asked: safeURL,
		visited: func(m *moment, v *states.Visit) string { return notHTTPS(v.URL.Reveal()) }}
	resourceAlways = &Invariant{Name: "resource-always", Rule: rules.TokenReqResource,
		Says:  "every authorization and token request names the resource, except under the rows of 2025-03-26",
		asked: resourceSent, visited: resourceVisited}
	pkceOnce = &Invariant{Name: "pkce-once", Rule: rules.AuthzReqVerifierFresh,
		Says:  "every authorization request has its own `state` and its own S256 challenge, and the verifier matches it",
		asked: verifierFits, visited: challengeFresh}
	assertionOnce = &Invariant{Name: "assertion-once", Rule: rules.ClientauthJWTFresh,
		Says:  "a client's assertion is sent once, to the issuer that is its audience, and is valid for a minute at most",
		asked: assertionFresh}
	proofOnce = &Invariant{Name: "proof-once", Rule: rules.ExtDPoPFresh,
		Says:  "a proof is sent once, in the request that it is made for, and to no other address",
		asked: proofFresh}
	proofRetried = &Invariant{Name: "proof-retried-once", Rule: rules.ExtDPoPNonceCap,
		Says: "because of its proof a request is repeated at most twice: once with another nonce, once with a corrected clock",
		step: func(m *moment) string {
			if m.actor().proofs > 2 {
				return "a request is made again and again for its proof"
			}
			return ""
		}}
	boundAsBound = &Invariant{Name: "bound-as-bound", Rule: rules.ExtDPoPNoDowngrade,
		Says: "a bound token is handed out as a bound token only; where binding is required, no other token is handed out", step: boundGrant}
	noBrowser = &Invariant{Name: "own-no-browser", Rule: rules.ExtCCNoBrowser,
		Says: "a token in the client's own name never sends a user to a browser", visited: visitedForNobody}
	codeOnce = &Invariant{Name: "code-once", Rule: rules.TokenReqCodeOnce,
		Says: "a code that may have been spent is not sent again, and no code is sent to two addresses"}
	onceMarked = &Invariant{Name: "once-marked", Rule: rules.RefreshTransaction,
		Says:  "registration, exchange and refresh are marked Once and nothing else is; a refresh ends within its lease",
		asked: markedOnce}
	inUseKept = &Invariant{Name: "in-use-not-revoked", Rule: rules.IssuerChangeKeepsOld,
		Says: "what a login has replaced is revoked only after the new token was handed out, and the new token is never revoked", asked: retiresOld}
	grantHome = &Invariant{Name: "grant-home", Rule: rules.BearerBoundResource,
		Says: "a token that is handed out is for this resource, from the recorded issuer, and from the user's own login", step: grantAtHome}
	grantFresh = &Invariant{Name: "grant-fresh", Rule: rules.BearerNoExpired,
		Says: "at rest, no token is handed out that was refused, or that has expired and could be refreshed", step: freshGrant}
)

func secretsAtHome(m *moment, s states.Send) string {
	w, dest := m.w, m.w.home(s.Request.URL)
	judge := func(v string) string {
		x := w.ghost.secret(v)
		if x == nil || x.home == dest || x.foreign || w.hostile(x.home) {
			return ""
		}
		return x.what() + " of " + x.home + " goes to " + s.Request.URL
	}
	for _, f := range s.Request.Form {
		if why := judge(f.Value); why != "" {
			return why
		}
		if f.Name == "code_verifier" {
			for _, t := range w.ghost.trips {
				if t.challenge == wire.S256(f.Value) && t.home != dest && !w.hostile(t.home) {
					return "the verifier of a login at " + t.home + " goes to " + s.Request.URL
				}
			}
		}
	}
	if _, secret, ok := basic(s); ok {
		return judge(secret)
	}
	if token, ok := bearer(s); ok {
		if why := judge(token); why != "" {
			return why
		}
		if token == m.r.Machine.Data.Config.InitialToken.Reveal() && !m.actor().demanded {
			return "an initial access token goes to " + s.Request.URL + ", which has not demanded one"
		}
	}
	return ""
}

func ownCode(m *moment, s states.Send) string {
	code, ok := s.Request.Form.Get("code")
	if !ok {
		return ""
	}
	x := m.w.ghost.secret(code)
	if x == nil {
		return "the code that is exchanged was never given out"
	}
	if x.foreign && !m.w.hostile(m.r.Machine.Data.Flow.Server.Issuer) {
		return "a code of somebody else's login is exchanged at " + s.Request.URL
	}
	return ""
}

// secretIn looks for anything that was issued, or drawn as a verifier.
func (m *moment) secretIn(address string) string {
	plain := address
	if u, err := url.QueryUnescape(address); err == nil {
		plain = u
	}
	for _, x := range m.w.ghost.secrets {
		if strings.Contains(plain, x.value) {
			return x.what() + " is part of an address"
		}
	}
	if f := m.r.Machine.Data.Flow; f != nil && f.Verifier != "" && strings.Contains(plain, f.Verifier.Reveal()) {
		return "the verifier is part of an address"
	}
	return ""
}
