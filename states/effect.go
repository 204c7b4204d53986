package states

import (
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

// Effect is what the machine asks for: an imperative. Questions carry a Serial and are
// answered by exactly one Input with the same Serial; the others are statements.
//
//sumtype:decl
type Effect interface{ effect() }

// Send asks for one HTTP exchange. Answered by Responded or Unreachable.
type Send struct {
	Serial  uint64
	Request wire.Request
	// Once marks a request that must never be repeated blindly after a restart:
	// registration, code exchange, refresh.
	Once bool
	// NotBefore delays the exchange (backoff); zero means at once.
	NotBefore time.Time
	// NotAfter bounds it: from this instant on nothing may be sent (the answer is
	// Unreachable{Late}), and an exchange under way is given up (Unreachable{Lost}), so
	// that the exchange never outlasts a lease. Zero means no such bound.
	NotAfter time.Time
	// Timeout bounds the whole exchange.
	Timeout time.Duration
	// Hops is how many same-origin redirects may be followed (GET only).
	Hops int
	// MaxBody is the most bytes of the body that are read.
	MaxBody int64
	// Loopback allows http, and loopback addresses (exactly when the
	// MCP server itself is loopback http).
	Loopback bool
}

// Sign asks for the signature of a JWT by a key that the machine does not hold. Header and
// Claims are JSON and are signed unchanged. Answered by Signed or Unsigned.
type Sign struct {
	Serial uint64
	// Key is the name of the key (SigningKey.Name).
	Key    string
	Header string
	Claims string
	// NotBefore delays the signature (backoff); the signed times count from then.
	NotBefore time.Time
	// Timeout bounds it.
	Timeout time.Duration
}

// Visit asks the driver to open URL in the user's browser and to hand in the redirect
// that comes back. Answered by Redirected; it stays open through Hold rows. A driver that
// sees a Visit with a Serial it already serves does nothing.
type Visit struct {
	Serial      uint64
	URL         wire.Secret // holds state; shown to the user, never logged
	RedirectURI string
	Issuer      string
	Deadline    time.Time
}

// Load asks for a stored entry. Answered by Loaded, NotFound or StoreFailed.
type Load struct {
	Serial uint64
	Key    Key
}

// Lease asks for the right to refresh. Answered by Leased, Held or StoreFailed.
type Lease struct {
	Serial uint64
	Key    Key
	TTL    time.Duration
}

// Release gives a lease back.
type Release struct {
	Key   Key
	Fence uint64
}

// Save asks for a conditional write. Answered by Saved, Conflicted or
// StoreFailed.
type Save struct {
	Serial    uint64
	Key       Key
	Value     wire.Secret
	Expected  Generation
	Expires   time.Time
	NotBefore time.Time
}

// Delete asks for a conditional removal. Answered by Deleted, Conflicted,
// NotFound or StoreFailed.
type Delete struct {
	Serial   uint64
	Key      Key
	Expected Generation
}

// Claim asks to be the only replica that continues a parked login. Answered by Claimed,
// Conflicted, NotFound or StoreFailed.
type Claim struct {
	Serial   uint64
	Key      Key
	Expected Generation
}

// Question is what an Ask is about.
type Question string

// The questions to the host.
const (
	AskRedirect Question = "redirect" // an address that already listens; opens every login
	AskResource Question = "resource" // is this resource acceptable ("yes", "no")
	AskIssuer   Question = "issuer"   // which of the issuers
	AskScopes   Question = "scopes"   // which of the scopes
	AskClient   Question = "client"   // a client id, when no other way is left
)

// Ask asks the host. Answered by Answered; past Deadline the machine takes
// Default by itself.
type Ask struct {
	Serial   uint64
	Question Question
	Subject  string   // what it is about: the issuer, the resource
	Options  []string // what may be chosen; for AskRedirect the preferred addresses
	Default  string
	Deadline time.Time
}

// Wake says when the machine wants to be Ticked.
type Wake struct{ At time.Time }

// Grant hands out a token that may be used until it is replaced.
type Grant struct {
	Generation  Generation
	AccessToken wire.Secret
	Type        string
	Scopes      []string
	// Expires is when the token expires as the issuer said, on the caller's clock; zero if
	// that is not known. Renew is when a renewal should begin; zero if the token cannot be
	// renewed.
	Expires time.Time
	Renew   time.Time
	// Accepted says that the resource has accepted this generation before.
	Accepted bool
	// Untried says that the record does not say yet whether the resource accepts this token:
	// the machine needs Accepted after the first successful request. Without Untried,
	// Accepted changes nothing in the store.
	Untried bool
	// Thumbprint is the thumbprint of the key that the token is bound to. Each request needs
	// a proof of that key (RFC 9449 §7.1), with the time of the local clock plus ClockOffset.
	Thumbprint  string
	ClockOffset time.Duration
}

// Report says why something failed.
type Report struct{ Fault Fault }

// Note records a breach that was tolerated, or something else that a reader should know.
type Note struct{ Finding wire.Finding }

func (Send) effect()    {}
func (Sign) effect()    {}
func (Visit) effect()   {}
func (Load) effect()    {}
func (Lease) effect()   {}
func (Release) effect() {}
func (Save) effect()    {}
func (Delete) effect()  {}
func (Claim) effect()   {}
func (Ask) effect()     {}
func (Wake) effect()    {}
func (Grant) effect()   {}
func (Report) effect()  {}
func (Note) effect()    {}

// SerialOfEffect gives the serial of a question; ok is false for statements.
func SerialOfEffect(e Effect) (serial uint64, ok bool) {
	switch e := e.(type) {
	case Send:
		return e.Serial, true
	case Sign:
		return e.Serial, true
	case Assert:
		return e.Serial, true
	case Visit:
		return e.Serial, true
	case Load:
		return e.Serial, true
	case Lease:
		return e.Serial, true
	case Save:
		return e.Serial, true
	case Delete:
		return e.Serial, true
	case Claim:
		return e.Serial, true
	case Ask:
		return e.Serial, true
	case Release, Wake, Grant, Report, Note, Show: // no questions
	}
	return 0, false
}
