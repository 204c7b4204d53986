package audit

import (
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

// LiveClient is evidence of what a client did in front of trap servers.
const LiveClient Source = "client"

// Trap is a pair of servers that break one rule, or none, and a check of how the
// client reacts. The servers are those of fsm/peer.
type Trap struct {
	Check
	// Faults are faults of fsm/peer, of both servers.
	Faults []string
	// TokenLife is how long access tokens live; 0 means one hour.
	TokenLife time.Duration
	// Runs is how often the client is started, one run after the other; 0 means
	// once. Before each further run the servers' clock advances by Pause.
	Runs  int
	Pause time.Duration
	// AtOnce is how many clients are started together in the last run; 0 means one.
	AtOnce int
	// MoveIssuer makes the resource name another issuer before the last run.
	MoveIssuer bool
	// FailRefresh are the answers to the first refreshes: 500, 503 or html. These
	// refreshes do not reach the issuer.
	FailRefresh []string
	// NoRefresh issues no refresh tokens.
	NoRefresh bool
	// Observes says that the check reads what the client sends, so that it has a
	// result even if the client does not get in.
	Observes bool
	// Forged are queries that come to the client's redirect URI before the answer.
	Forged []string
	// Listener sends requests to the client's redirect URI that it should not answer.
	Listener bool
	// Store looks at the files that the client leaves behind.
	Store bool
	// StepUp demands StepScope from every request whose token lacks it.
	StepUp bool
	// SecretMethod makes the issuer register the client with a secret and this
	// authentication method.
	SecretMethod string
	// Second starts the last run for another MCP server of the same issuer at
	// another origin; Beside does so at another path of the same origin.
	Second, Beside bool
	// Live lets the second run come before the token expires: it shows whether
	// the client keeps anything from one start to the next.
	Live bool
	// FirstAtOnce is how many clients are started together in the first run.
	FirstAtOnce int
	// FailExchange does for the exchange of a code what FailRefresh does for a refresh.
	FailExchange []string
	// ExpireInRun is how many tokens expire after their first use, while the client runs.
	ExpireInRun int
	// Redirects answers MCP requests that carry a token with 307 to the canary.
	Redirects bool
	// Lures answers MCP requests without a token 302, to a page at the canary.
	Lures bool
	// Endless answers requests of this leg with a body that does not end before
	// EndlessBody bytes.
	Endless Leg
	// Answer replaces parameters of the answer that the issuer sends through the
	// user's browser.
	Answer map[string]string
	// Metadata replaces members of the issuer's metadata; {issuer}, {other} and
	// {canary} in a value stand for origins.
	Metadata map[string]string
	// Repeats sends a second answer, with a code of its own, to the redirect URI.
	Repeats bool
	// SecretLife lets the secret of a registration expire after that time; the second
	// run begins after it has expired.
	SecretLife time.Duration
	// LogsOut makes the second run the client's command that logs out.
	LogsOut bool
	// IssuerPath gives the issuer's identifier a path.
	IssuerPath string
	// Resource replaces members of the resource's metadata; a value is JSON, in
	// which {issuer}, {other}, {tls}, {zero} and {canary} stand for origins: {tls} has a
	// certificate that nobody signed, {zero} is the canary by the address 0.0.0.0.
	Resource map[string]string
	// HeaderOnly serves the resource's metadata at the address that the challenge names.
	// At the well-known addresses it serves another document, which names the other issuer.
	HeaderOnly bool
	// RootDecoy serves, at the root, a document that names the other issuer.
	RootDecoy bool
	// Proxied makes the canary the client's proxy for everything that is not on
	// loopback. Requests for addresses of metadata services are kept.
	Proxied bool
	// KillRefresh kills the client while its first refresh is being answered, after
	// the issuer has carried it out.
	KillRefresh bool
	// Away answers every refresh of the second start with 503.
	Away bool
	// Cookies makes every server set a cookie.
	Cookies bool
	// RootMetadata serves the metadata of an issuer with a path at the root only.
	RootMetadata bool
	// OIDCDecoy serves an OpenID Connect document with the other issuer's endpoints.
	OIDCDecoy bool
	// Swaps publishes a token endpoint at the canary once a user has been sent to the
	// issuer.
	Swaps bool
	// StepElsewhere names metadata at the canary in the challenge that demands StepScope.
	StepElsewhere bool
	// Proofs makes both servers take proofs of possession (RFC 9449); ProofNonces makes
	// them demand proofs with their nonces.
	Proofs, ProofNonces bool
	// Interval is the interval of the device grant; FailPoll are the errors that the first
	// polls get.
	Interval time.Duration
	FailPoll []string
	// Silent takes the first exchange and does not answer. Nobody lets no user open
	// what the client wants to be opened.
	Silent, Nobody bool
	// Patience is how long a run may take at least, whatever the caller's time is.
	Patience time.Duration
	// Waits really waits before each further run, so that tokens have expired by every
	// clock.
	Waits bool
}

// EndlessBody is how many bytes an endless document has.
const EndlessBody = 48 << 20

// What is said of an exchange that did not end normally.
const (
	AnswerLost    = "the answer was lost on its way"
	AnswerAwaited = "the client waited for an answer until it was stopped"
	NobodyCame    = "nobody opened the address"
	EndlessRead   = "the client took the whole of an endless document"
)

// Run is one start of the client's command.
type Run struct {
	Exit    int           `json:"exit"`
	Took    time.Duration `json:"took"`
	Killed  bool          `json:"killed,omitzero"` // it did not exit by itself
	Output  string        `json:"output,omitempty"`
	Opened  []string      `json:"opened,omitempty"`  // what it wanted to open in a browser
	Printed []string      `json:"printed,omitempty"` // which kinds of secret its output shows
	Files   []File        `json:"files,omitempty"`   // what it left, where the trap looks
	// Start is which start of the client it was, from 1.
	Start int `json:"start,omitzero"`
	// Escapes says that its output contains terminal escapes that a server sent.
	Escapes bool `json:"escapes,omitzero"`
	// LogsOut says that this was a run of the client's command that logs out.
	LogsOut bool `json:"logs_out,omitzero"`
	// Idle says that it was stopped because nothing more happened.
	Idle bool `json:"idle,omitzero"`
	// Crashed says that the trap killed it.
	Crashed bool `json:"crashed,omitzero"`
}

// File is a file that a client left behind.
type File struct {
	Name  string   `json:"name"`
	Mode  uint32   `json:"mode"`
	Holds []string `json:"holds,omitempty"` // which kinds of secret it contains
}

// The roles of the trap servers' origins.
const (
	RoleIssuer   = "issuer"
	RoleOther    = "other-issuer"
	RoleResource = "resource"
	RoleCanary   = "canary"
	RoleSecond   = "second-resource"
	RoleTLS      = "unsigned-tls" // its certificate is not signed by any authority
)

// Traps lists the traps. The plain one comes first, because a client that does not
// get through it cannot be audited.
func Traps() []Trap {
	return slices.Concat(plainTraps, flowTraps, refusalTraps, passTraps, answerTraps, tokenTraps, networkTraps, reachTraps, refreshTraps, renewalTraps, lifeTraps, compareTraps, runTraps, extensionTraps)
}

// SelectTraps gives the traps with these ids, or all traps if there are no ids, without
// those to skip. The family "cl" stands for all. The plain trap is always included.
func SelectTraps(only []string, skip ...string) []Trap {
	named := func(list []string, t Trap) bool { return slices.Contains(list, t.ID) || slices.Contains(list, "cl") }
	var out []Trap
	for i, t := range Traps() {
		if i == 0 || (len(only) == 0 || named(only, t)) && !named(skip, t) {
			out = append(out, t)
		}
	}
	return out
}

// JudgeClient judges what a client did in each of the traps; the evidence of a
// trap carries its id. When the client did not get through the plain trap, the
// others could not be run.
func JudgeClient(all []Evidence) Report {
	r := Report{Source: LiveClient}
	through, ends := "", false
	for i := range all {
		e := &all[i]
		if e.Trap == Traps()[0].ID && len(e.Runs) > 0 {
			ends = !e.Runs[0].Killed
		}
		e.ends = ends
		for _, t := range Traps() {
			if t.ID != e.Trap {
				continue
			}
			j := judgement{check: t.Check, e: e, v: Verdict{Check: t.ID, Outcome: Pass}}
			if through == "" || t.Observes {
				t.judge(&j)
			}
			if through != "" {
				j.end(CouldNotRun, through)
			}
			j.v.Findings = merge(j.v.Findings, "")
			r.Verdicts = append(r.Verdicts, j.v)
			if t.ID == Traps()[0].ID {
				r.Notes = append(r.Notes, e.Notes...)
			}
			if t.ID == Traps()[0].ID && !e.authorized() {
				through = "the client did not log in to well-behaved servers" + e.lastWords()
				r.Notes = append(r.Notes, through)
			}
		}
	}
	return r
}

// lastWords is the end of the client's output, to be quoted in a reason.
func (e *Evidence) lastWords() string {
	for _, run := range e.Runs {
		if s := strings.TrimSpace(run.Output); s != "" {
			lines := strings.Split(s, "\n")
			return ": " + wire.Clean(strings.Join(lines[max(0, len(lines)-3):], " / "), 300)
		}
	}
	return ""
}

// role gives the role of the server that an exchange went to.
func (e *Evidence) role(x *Exchange) string { return e.Roles[wire.Origin(x.Request.URL)] }

// authorized reports whether a request with a token was let in.
func (e *Evidence) authorized() bool {
	return slices.ContainsFunc(e.Exchanges, func(x Exchange) bool {
		return x.Leg == LegMCP && len(x.sent("Authorization")) > 0 && x.status() >= 200 && x.status() < 300
	})
}

// first gives the first exchange of a leg; nil if there is none.
func (e *Evidence) first(leg Leg) *Exchange {
	for i := range e.Exchanges {
		if e.Exchanges[i].Leg == leg {
			return &e.Exchanges[i]
		}
	}
	return nil
}

// count counts the exchanges of a leg that began in a run. Runs are numbered from 1;
// 0 means all runs.
func (e *Evidence) count(leg Leg, run int) int {
	n := 0
	for i := range e.Exchanges {
		if e.Exchanges[i].Leg == leg && (run == 0 || e.Exchanges[i].Run == run) {
			n++
		}
	}
	return n
}
