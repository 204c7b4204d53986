package states

// Kind says what a stored entry holds.
type Kind string

// The kinds of entry (docs/storage.md says what each holds).
const (
	KindCredential   Kind = "credential"   // the grant of one account at one MCP server
	KindRegistration Kind = "registration" // the client that an issuer gave, shared by its resources
	KindLogin        Kind = "login"        // a login that waits for its user
	KindMark         Kind = "mark"         // "a login is under way", beside a credential
	KindProofKey     Kind = "proof-key"    // the private key that the tokens of an account are bound to
	KindLedger       Kind = "ledger"       // attempts and denials of step-up
)

// Key names one stored entry, by structure: different keys never collide, and no part of
// a key is a pattern. A backend joins the parts with an encoding that cannot be confused
// (each part with its length), never by plain concatenation.
//
// Name is the canonical server URL for credential, mark and ledger; the issuer
// and the port-elided redirect URIs for registration; the hex SHA-256 of
// `state` for login, or "device " and the server URL for a login at another device.
type Key struct {
	Kind    Kind   `json:"kind"`
	Tenant  string `json:"tenant,omitempty"`
	Subject string `json:"subject,omitempty"`
	Account string `json:"account,omitempty"`
	Name    string `json:"name"`
}

// String shows the key for logs and errors.
func (k Key) String() string {
	s := string(k.Kind) + " of " + k.Name
	if k.Account != "" {
		s += ", account " + k.Account
	}
	if k.Subject != "" {
		s += ", subject " + k.Subject
	}
	if k.Tenant != "" {
		s += ", tenant " + k.Tenant
	}
	return s
}

// Generation numbers the versions of one stored entry, or of one token. It never repeats for
// a key, even after the entry was deleted; 0 means none. Between processes, only equality has
// a meaning.
type Generation uint64
