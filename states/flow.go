package states

import (
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

// Why says why a login began.
type Why string

// The reasons of a login.
const (
	WhyChallenged Why = "challenge" // the server refused a request without a token
	WhyRequested  Why = "asked"     // the host, or its user, asked for a login
	WhyStepUp     Why = "step-up"   // the server wants more scope than the token has
	WhyRejected   Why = "rejected"  // the token that was held is of no more use
)

// Flow are the facts of one login. A parked login consists of them.
type Flow struct {
	Why Why `json:"why"`
	// Deadline ends the whole login.
	Deadline time.Time `json:"deadline"`
	// Since is when the login was announced; the mark holds it.
	Since time.Time `json:"since,omitzero"`
	// Mark is the generation of the mark that this login set (0: it has none). MarkUntil is
	// when a renewed mark expires.
	Mark      Generation `json:"mark,omitzero"`
	MarkUntil time.Time  `json:"mark_until,omitzero"`
	// Gone says that another process's mark was in the way of this login's mark, and was not
	// there when it was read. That may happen once, if the mark has just expired.
	Gone bool `json:"gone,omitzero"`

	// Revision is in force: Auto counts as R4 until R1 is found to apply.
	Revision Revision `json:"revision,omitempty"`
	Legacy   bool     `json:"legacy,omitzero"`
	// Named says that the challenge named resource metadata, usable or not. The server is
	// then not one of 2025-03-26.
	Named bool `json:"named,omitzero"`

	// Unusable says why the address that the challenge named is not asked. Until
	// metadata is found elsewhere, it is the first cause of whatever fails.
	Unusable *wire.Problem `json:"unusable,omitempty"`

	// Probing: which candidate is asked, and what was remembered of the earlier ones.
	Candidates []string      `json:"candidates,omitempty"`
	Candidate  int           `json:"candidate,omitzero"`
	Trouble    bool          `json:"trouble,omitzero"` // one of them could not be asked
	Remembered *wire.Problem `json:"remembered,omitempty"`
	// MetadataReadAgain says that an endpoint did not exist and the issuer's metadata was
	// read once more; this happens once in a login.
	MetadataReadAgain bool `json:"reread,omitzero"`

	// What was found.
	Metadata string   `json:"metadata,omitempty"` // where the resource metadata was
	Resource string   `json:"resource,omitempty"` // to be sent as `resource`
	Listed   []string `json:"listed,omitempty"`   // scopes_supported of the resource
	Issuers  []string `json:"issuers,omitempty"`
	Issuer   int      `json:"issuer,omitzero"`
	Server   wire.ASM `json:"server,omitzero"`
	// Binds says that the resource accepts only bound tokens.
	Binds bool `json:"binds,omitzero"`
	// Scopes are those of the challenge (Challenged), then those chosen,
	// before offline_access.
	Scopes     []string `json:"scopes,omitempty"`
	Challenged bool     `json:"challenged,omitzero"`
	ScopeTurn  int      `json:"scope_turn,omitzero"` // how often invalid_scope made us ask for less

	// Provider is the identity provider, with states.EnterpriseGrant.
	Provider *Provider `json:"provider,omitempty"`

	Client       wire.Client `json:"client,omitzero"`
	Registration Generation  `json:"registration,omitzero"`
	Filed        string      `json:"filed,omitempty"`     // the authentication method in the stored registration
	Registered   int         `json:"registered,omitzero"` // registrations made in this login
	Adjusted     bool        `json:"adjusted,omitzero"`   // a registration with the other application_type was tried
	Trimmed      Trimmed     `json:"trimmed,omitzero"`    // what the registration leaves out, because it was refused
	Demanded     bool        `json:"demanded,omitzero"`   // the issuer demanded an initial access token
	Refused      string      `json:"refused,omitempty"`   // the client id that the issuer refused
	// NewClient says that an earlier registered client must not be used.
	NewClient bool `json:"new_client,omitzero"`
	// Unread says that the client of the grant is given up, and that the stored registration,
	// which was not read before, is now read to find another client.
	Unread bool `json:"unread,omitzero"`
	// NoDocument says that the issuer refused the client ID metadata document in an
	// earlier login.
	NoDocument bool `json:"no_document,omitzero"`

	RedirectURI string      `json:"redirect_uri,omitempty"`
	State       wire.Secret `json:"state,omitempty"`
	Verifier    wire.Secret `json:"verifier,omitempty"`
	Login       Generation  `json:"login,omitzero"`  // generation of the parked record
	Visit       uint64      `json:"visit,omitzero"`  // serial of the open Visit
	Requested   []string    `json:"asked,omitempty"` // the scopes of the authorization request
	Callback    wire.Secret `json:"callback,omitempty"`
	// AtDevice says that nothing can listen for the redirect, so that the user decides at
	// another device.
	AtDevice bool `json:"at_device,omitzero"`
	// Device is the issuer's answer for a user at another device.
	Device  *Device `json:"device,omitempty"`
	Again   int     `json:"again,omitzero"` // authorizations begun again in this login
	Lost    bool    `json:"lost,omitzero"`  // the parked login was gone once when its user came back
	Climbed Ladder  `json:"climbed,omitzero"`

	// Ledger is what is known of earlier step-ups, LedgerAt its generation.
	Ledger   Ledger     `json:"ledger,omitzero"`
	LedgerAt Generation `json:"ledger_at,omitzero"`
}

// Trimmed says what a registration leaves out after the issuer refused it.
type Trimmed int

// What a registration leaves out.
const (
	FullRegistration         Trimmed = iota // nothing
	RegistrationWithoutScope                // scope
	BareRegistration                        // every member that is optional
)
