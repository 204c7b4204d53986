package states

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stile-oauth/stile/states/wire"
)

// RecordVersion is the version of the records that this release writes. A
// record of a newer version is refused and kept (rule store-versioned).
const RecordVersion = 1

// Credential is what is kept under a credential key: everything that a cold start needs to
// refresh without any other request.
type Credential struct {
	Version int `json:"version"`
	// Current is the grant in use; nil after its end.
	Current *Token `json:"current,omitempty"`
	// Superseded are grants of other issuers, or of logins that lost a race,
	// kept until they have been revoked (rule issuer-change-keeps-old).
	Superseded []Token `json:"superseded,omitempty"`
	// Intent says that a refresh was about to be sent, or was sent without a
	// known outcome: the durable form of Once.
	Intent *Intent `json:"intent,omitempty"`
	// Unknown members of newer releases are kept (store-schema-preserving).
	Unknown jsontext.Value `json:",embed"`
}

// Intent records a refresh under way, and the doubt after a refresh whose answer was lost.
type Intent struct {
	// Attempt counts the sends of this refresh token whose outcome is unknown.
	Attempt int    `json:"attempt"`
	Holder  string `json:"holder,omitempty"`
	// Until is when the request has ended at the latest; after a lost answer, it is when the
	// token may be sent again.
	Until time.Time `json:"until"`
	// Since and Sent are when the first and the last of the sends was marked.
	// (Records of earlier releases have neither.)
	Since time.Time `json:"since,omitzero"`
	Sent  time.Time `json:"sent,omitzero"`
	// Lost says that the answer to the last send was lost: nobody waits for it.
	Lost bool `json:"lost,omitzero"`
	// GivenUp says that this refresh token is not sent again. It stays stored
	// until a login has replaced it.
	GivenUp bool `json:"given_up,omitzero"`
}

// GivenUp reports whether the refresh token of the current grant is not to be
// sent again.
func (c *Credential) GivenUp() bool { return c.Intent != nil && c.Intent.GivenUp }

// Token is a grant with all that belongs to it.
type Token struct {
	// Generation identifies this token among all tokens that the credential ever had, even
	// before a deletion. It is derived from a number that the store gave, and says nothing
	// about order. (Earlier releases derived it from the clock; such numbers stay as they
	// are.)
	Generation Generation `json:"generation"`

	AccessToken  wire.Secret `json:"access_token"`
	Type         string      `json:"token_type"`
	RefreshToken wire.Secret `json:"refresh_token,omitempty"`
	// Thumbprint is the thumbprint of the key that the token is bound to (RFC 9449); empty for
	// a bearer token.
	Thumbprint string `json:"jkt,omitempty"`
	// Received is when the token was received. Expires is the absolute time when it expires;
	// zero if the issuer did not say.
	Received time.Time `json:"received"`
	Expires  time.Time `json:"expires,omitzero"`
	// Granted and Requested are the scopes. Granted equals Requested when the
	// answer named none (RFC 6749 §5.1).
	Granted   []string `json:"granted,omitempty"`
	Requested []string `json:"requested,omitempty"`

	// Server is the issuer with its endpoints as they were when granted; a
	// refresh goes to these (rules issuer-refresh-bound, issuer-cold-start-check).
	Server wire.ASM    `json:"server"`
	Client wire.Client `json:"client"`
	// Resource is the string that was sent as `resource`; empty when none was.
	Resource string `json:"resource,omitempty"`
	// Metadata is the address of the resource metadata, and the scopes that it listed, so that
	// a step-up that names the same address need not read it again.
	Metadata string   `json:"metadata,omitempty"`
	Listed   []string `json:"listed,omitempty"`
	Revision Revision `json:"revision,omitempty"`
	// RedirectURI is the address of the login; its port is tried first again.
	RedirectURI string `json:"redirect_uri,omitempty"`

	// Grant is how the token was obtained; empty: by a code.
	Grant GrantType `json:"grant,omitempty"`

	// Provider is the identity provider that vouched for the user.
	Provider *Provider `json:"provider,omitempty"`

	// Login is the generation of the token that the login of this grant gave; a
	// refresh keeps it. Zero in records of earlier releases.
	Login Generation `json:"login,omitzero"`
	// Decided is when the last login ended that a user asked for, or that began with nothing
	// stored, as after a log out. Step-ups, refreshes and logins that a refusal caused keep
	// it. What was tried before it does not count as a step-up. Zero in records of earlier
	// releases.
	Decided time.Time `json:"decided,omitzero"`
	// Quirks are the quirks that were in use at the login.
	Quirks []Quirk `json:"quirks,omitempty"`
	// Rotates says that the issuer has replaced a refresh token before.
	Rotates bool `json:"rotates,omitzero"`
	// ClientDead says that the issuer no longer knows Client. Nothing is sent to the issuer in
	// that client's name.
	ClientDead bool `json:"client_dead,omitzero"`
	// Climbed is how far the ladder of a refused token (reload, refresh, log
	// in) had been climbed when this token was obtained.
	Climbed Ladder `json:"climbed,omitzero"`
}

// Renewable reports whether a new token can be obtained without a user: because there is a
// refresh token, or because no user took part.
func (t *Token) Renewable() bool { return t.RefreshToken != "" || t.Unattended() }

// Unattended reports whether the token was obtained without a user.
func (t *Token) Unattended() bool { return t.Grant != CodeGrant && t.Grant != IdentityGrant }

// Ladder is what has been tried since the resource last accepted a token.
type Ladder struct {
	Refreshed bool `json:"refreshed,omitzero"`
	LoggedIn  bool `json:"logged_in,omitzero"`
}

// Registration is what is kept under a registration key.
type Registration struct {
	Version int         `json:"version"`
	Client  wire.Client `json:"client"`
	Issuer  string      `json:"issuer"`
	At      time.Time   `json:"at"`
	// RefusedDocument is the client ID metadata document that the issuer refused
	// before it gave this client.
	RefusedDocument string         `json:"refused_document,omitempty"`
	Unknown         jsontext.Value `json:",embed"`
}

// Mark is what is kept under a mark key while a login is under way.
type Mark struct {
	Version int       `json:"version"`
	Holder  string    `json:"holder,omitempty"`
	Since   time.Time `json:"since"`
}

// Ledger is what is stored about step-up attempts at one resource.
type Ledger struct {
	Version  int       `json:"version"`
	Attempts []Attempt `json:"attempts,omitempty"`
}

// Attempt is one attempt at a step-up.
type Attempt struct {
	Scopes []string  `json:"scopes"`
	At     time.Time `json:"at"`
}
