package states

import (
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

// Data are the facts of one machine. Only Classify reads them to decide, and it decides by
// naming an Event. What the pointers point to is never changed: Classify copies before it
// writes, so that a Machine is a value.
type Data struct {
	Config *Config `json:"config"`
	// At is the time of the last step that changed something.
	At time.Time `json:"at"`
	// Serial is the serial of the open question, or of the last one.
	Serial uint64 `json:"serial"`
	// Seed is fresh randomness; Draws counts what was drawn from it.
	Seed  wire.Secret `json:"seed,omitempty"`
	Draws uint32      `json:"draws,omitzero"`

	// Entry is the generation of the stored credential as last seen (0: none).
	Entry  Generation  `json:"entry,omitzero"`
	Record *Credential `json:"record,omitempty"`
	// FreshUntil is when the current token expires by this process's count, from receipt or
	// adoption. Zero if it is not known.
	FreshUntil time.Time `json:"fresh_until,omitzero"`
	// Accepted says that the resource accepted the current token; Rejected is the generation
	// that it refused last.
	Accepted bool       `json:"accepted,omitzero"`
	Rejected Generation `json:"rejected,omitzero"`
	// NoRenew says that renewal was refused and must not be tried again with this token.
	// RenewAfter says that renewal failed and must not be tried again before that time.
	NoRenew    bool      `json:"no_renew,omitzero"`
	RenewAfter time.Time `json:"renew_after,omitzero"`

	// RefusedClient is a client id that the issuer refused at a refresh; the
	// login that follows registers anew.
	RefusedClient string `json:"refused_client,omitempty"`

	// Challenge is a challenge that waits to be judged; Wanted are scopes that callers need
	// besides those of the held token.
	Challenge *Challenge `json:"challenge,omitempty"`
	Wanted    []string   `json:"wanted,omitempty"`
	// LoginAsked says that the host asked for a login; NewClient says that this login must
	// register a new client.
	LoginAsked bool `json:"login_asked,omitzero"`
	NewClient  bool `json:"new_client,omitzero"`

	// Flow is the login under way.
	Flow *Flow `json:"flow,omitempty"`

	// Assertion is the client's assertion for the next request.
	Assertion *Assertion `json:"assertion,omitempty"`

	// Proof is the proof for the next request. Nonce is the nonce that its issuer requires in
	// it. ClockOffset is how far the issuer's clock is ahead of the local clock, if that is
	// known to matter.
	Proof       *Proof        `json:"proof,omitempty"`
	Nonce       *Nonce        `json:"nonce,omitempty"`
	ClockOffset time.Duration `json:"clock_offset,omitzero"`
	// IdentityRefused says that the identity provider did not accept the last ID token.
	IdentityRefused bool `json:"identity_refused,omitzero"`

	// The refresh under way.
	Lease    Leasehold   `json:"lease,omitzero"`
	Spent    wire.Secret `json:"spent,omitempty"` // the refresh token that was sent
	Obtained *Token      `json:"obtained,omitempty"`
	Rounds   int         `json:"rounds,omitzero"` // conflicts and waits met on the way
	Losses   int         `json:"losses,omitzero"` // answers lost in this refresh
	// MetadataAddress says which address of the issuer's metadata is asked once more under the
	// stored intent, counted from 1; 0 if the metadata was not read again.
	MetadataAddress int `json:"metadata_address,omitzero"`
	// WaitUntil bounds the wait for another process.
	WaitUntil time.Time `json:"wait_until,omitzero"`

	// Adopted is a record that another replica wrote while this one waited.
	Adopted *Credential `json:"adopted,omitempty"`

	// Retiring are tokens still to be revoked.
	Retiring []Token `json:"retiring,omitempty"`

	// Forget says that the issuer should forget the client after the log out. Managed is that
	// client, and its stored registration.
	Forget  bool     `json:"forget,omitzero"`
	Managed *Managed `json:"managed,omitempty"`

	// Tries counts the tries of the open question; NotBefore delays it.
	Tries     int       `json:"tries,omitzero"`
	NotBefore time.Time `json:"not_before,omitzero"`
	// WakeAt is when the machine wants to be woken.
	WakeAt time.Time `json:"wake_at,omitzero"`

	Cancelled bool `json:"cancelled,omitzero"`
	// Fault says why the last login, refresh or log out failed.
	Fault *Fault `json:"fault,omitempty"`
	// Notes are the findings of the last step.
	Notes []wire.Finding `json:"notes,omitempty"`
	// StepUps counts the step-ups of this machine since a user asked it for a login, whatever
	// the ledger says.
	StepUps int `json:"step_ups,omitzero"`
}

// Managed is a client that the issuer is asked to forget.
type Managed struct {
	Issuer string      `json:"issuer"`
	Client wire.Client `json:"client"`
	// Redirects is what stands for the redirect URIs in the key of the stored registration.
	Redirects string `json:"redirects,omitempty"`
	// Entry is the generation of the stored registration; 0: there is none of it.
	Entry Generation `json:"entry,omitzero"`
}

// Leasehold is the lease that is held.
type Leasehold struct {
	Fence uint64    `json:"fence,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// Challenge is what a refusal of the resource says, until the machine has decided about it.
type Challenge struct {
	Status     int            `json:"status"`
	Generation Generation     `json:"generation"`
	Found      bool           `json:"found,omitzero"`
	Error      wire.ErrorCode `json:"error,omitempty"`
	Metadata   string         `json:"metadata,omitempty"`
	Named      bool           `json:"named,omitzero"`     // an address was named, usable or not
	Unusable   *wire.Problem  `json:"unusable,omitempty"` // why the address that was named is not asked
	Scopes     []string       `json:"scopes,omitempty"`
	HasScope   bool           `json:"has_scope,omitzero"`
	Notes      []wire.Finding `json:"notes,omitempty"`
}

// Token gives the current token of the record, or nil.
func (d *Data) Token() *Token {
	if d.Record == nil {
		return nil
	}
	return d.Record.Current
}

// Usable reports whether a token is held that may be used at the given time: the resource
// has not refused it, and it has not expired by this process's count.
func (d *Data) Usable(at time.Time) bool {
	t := d.Token()
	return t != nil && t.Generation != d.Rejected && !d.expired(at)
}

func (d *Data) expired(at time.Time) bool {
	return !d.FreshUntil.IsZero() && !at.Before(d.FreshUntil)
}

// Renewal gives when a renewal of the current token should begin; zero if it cannot be
// renewed or its lifetime is not known. It begins before the token expires, by 30 s or a
// tenth of the lifetime, whichever is less; for a token without a user, by 60 s or a
// fifth. After a renewal that failed it does not begin before RenewAfter.
func (d *Data) Renewal() time.Time {
	t := d.Token()
	if t == nil || !t.Renewable() || d.NoRenew || d.Record.GivenUp() || d.FreshUntil.IsZero() {
		return time.Time{}
	}
	life := t.Expires.Sub(t.Received)
	early := min(30*time.Second, life/10)
	if t.Unattended() { // nothing is spent by it
		early = min(time.Minute, life/5)
	}
	at := d.FreshUntil.Add(-early)
	if d.RenewAfter.After(at) {
		return d.RenewAfter
	}
	return at
}
