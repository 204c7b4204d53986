package states

import (
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Input is what happened: a past participle. A question (Effect with a Serial)
// is answered by exactly one Input that carries the same Serial.
//
//sumtype:decl
type Input interface{ input() }

// Begun starts the work on one credential. Seed is 32 fresh random bytes, as base64url. With
// Login, Begun may also come while work is under way. It then joins that work: its Scopes are
// added if they still can be, and Seed is not used.
type Begun struct {
	Seed wire.Secret
	// Login asks for a login even when no server has challenged yet.
	Login bool
	// Scopes are wanted in addition to what the server asks for.
	Scopes []string
	// NewClient says that an earlier registered client must not be used: the login
	// registers a new one.
	NewClient bool
}

// Resumed gives fresh randomness to a login that another replica began (Resume).
type Resumed struct{ Seed wire.Secret }

// Loaded answers Load.
type Loaded struct {
	Serial     uint64
	Value      wire.Secret
	Generation Generation
}

// NotFound answers Load, Delete and Claim: there is no entry.
type NotFound struct{ Serial uint64 }

// Leased answers Lease: acquired, for TTL from now.
type Leased struct {
	Serial uint64
	Fence  uint64
	TTL    time.Duration
}

// Held answers Lease: another holder has it.
type Held struct{ Serial uint64 }

// Saved answers Save.
type Saved struct {
	Serial     uint64
	Generation Generation
}

// Deleted answers Delete.
type Deleted struct{ Serial uint64 }

// Claimed answers Claim: this replica, and no other, continues the login.
type Claimed struct{ Serial uint64 }

// Conflicted answers Save, Delete and Claim: the entry has another generation than the
// expected one.
type Conflicted struct{ Serial uint64 }

// StoreFailed answers any question to the store: the store itself is broken or unreachable,
// and nothing is known about the entry. Detail holds no secret.
type StoreFailed struct {
	Serial uint64
	Detail string
	// Entry says that the store works but this entry cannot be opened (a wrong
	// key, an altered envelope): it must be kept as it is.
	Entry bool
}

// Answered answers Ask. An empty Value takes the default.
type Answered struct {
	Serial uint64
	Value  string
	// Values answers Ask{Scopes}.
	Values []string
	// Secret comes with a client id that has one (Ask{Client}).
	Secret wire.Secret
}

// Signed answers Sign and Assert: JWS is header, claims and signature in compact form (RFC
// 7515 §7.1).
type Signed struct {
	Serial uint64
	JWS    wire.Secret
}

// Unsigned answers Sign and Assert: the key could not be used, or the platform gave no
// assertion. Detail holds no secret. NeedsUser says that there will be an ID token after the
// user has logged in.
type Unsigned struct {
	Serial    uint64
	Detail    string
	NeedsUser bool
}

// Responded answers Send: a response came.
type Responded struct {
	Serial   uint64
	Response wire.Response
}

// Unreachable answers Send: no response came. It also answers Visit: the user was not sent to
// that address (Blocked), or could not be sent (Unsent).
type Unreachable struct {
	Serial uint64
	Class  FailureClass
	// Rule is what the guard cites when it refused to send (Class Blocked).
	Rule   rules.ID
	Detail string
}

// FailureClass says what is known about an exchange without a response.
type FailureClass string

// The classes of Unreachable (docs/decision-tables.md#t8a).
const (
	Unsent  FailureClass = "unsent"  // certainly nothing was sent: DNS, refused, no route
	Lost    FailureClass = "lost"    // bytes may have been sent: reset, time limit
	TLS     FailureClass = "tls"     // the peer's certificate was not accepted
	Blocked FailureClass = "blocked" // the guard refused the address or URL
	Late    FailureClass = "late"    // NotAfter had passed; nothing was sent
)

// Redirected answers Visit: the user agent came back with this URL.
type Redirected struct {
	Serial uint64
	URL    wire.Secret
}

// Challenged says that the MCP server refused a request that carried the token
// of Generation (0: none) with this response (status and header; the body is
// never read).
type Challenged struct {
	Generation Generation
	Response   wire.Response
}

// Accepted says, once per generation, that the MCP server accepted the token.
type Accepted struct{ Generation Generation }

// Ticked says only that time has passed.
type Ticked struct{}

// Interrupted says that the process was restarted while a question was open, so that its
// outcome is not known. Seed is 32 fresh random bytes as base64url.
type Interrupted struct{ Seed wire.Secret }

// Cancelled says that no caller is waiting for the result.
type Cancelled struct{}

// LoggedOut asks for the end of the credential: revocation if the issuer supports it, then
// deletion. The client registration stays.
type LoggedOut struct {
	Seed wire.Secret
	// Forget also asks the issuer to remove the client, if the issuer registered it and
	// supports that (RFC 7592). Other logins with that client end with it.
	Forget bool
}

func (Begun) input()       {}
func (Resumed) input()     {}
func (Loaded) input()      {}
func (NotFound) input()    {}
func (Leased) input()      {}
func (Held) input()        {}
func (Saved) input()       {}
func (Deleted) input()     {}
func (Claimed) input()     {}
func (Conflicted) input()  {}
func (StoreFailed) input() {}
func (Answered) input()    {}
func (Signed) input()      {}
func (Unsigned) input()    {}
func (Responded) input()   {}
func (Unreachable) input() {}
func (Redirected) input()  {}
func (Challenged) input()  {}
func (Accepted) input()    {}
func (Ticked) input()      {}
func (Interrupted) input() {}
func (Cancelled) input()   {}
func (LoggedOut) input()   {}

// SerialOf gives the serial that an answer carries; ok is false for statements.
func SerialOf(in Input) (serial uint64, ok bool) {
	switch in := in.(type) {
	case Loaded:
		return in.Serial, true
	case NotFound:
		return in.Serial, true
	case Leased:
		return in.Serial, true
	case Held:
		return in.Serial, true
	case Saved:
		return in.Serial, true
	case Deleted:
		return in.Serial, true
	case Claimed:
		return in.Serial, true
	case Conflicted:
		return in.Serial, true
	case StoreFailed:
		return in.Serial, true
	case Answered:
		return in.Serial, true
	case Signed:
		return in.Serial, true
	case Unsigned:
		return in.Serial, true
	case Responded:
		return in.Serial, true
	case Unreachable:
		return in.Serial, true
	case Redirected:
		return in.Serial, true
	case Begun, Resumed, Challenged, Accepted, Ticked, Interrupted, Cancelled, LoggedOut: // no answers
	}
	return 0, false
}
