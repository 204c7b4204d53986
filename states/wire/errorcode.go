package wire

// ErrorCode is the code of an OAuth error or of a challenge. Rows and judgements read
// the codes below; a peer may send any other.
type ErrorCode string

// The codes that endpoints answer (RFC 6749 §4.1.2.1 and §5.2; RFC 7009 §2.2.1; RFC 7591
// §3.2.2; RFC 8628 §3.5; RFC 8707 §2; OpenID Connect Core §3.1.2.6).
const (
	CodeInvalidRequest         ErrorCode = "invalid_request"
	CodeInvalidClient          ErrorCode = "invalid_client"
	CodeInvalidGrant           ErrorCode = "invalid_grant"
	CodeUnauthorizedClient     ErrorCode = "unauthorized_client"
	CodeUnsupportedGrantType   ErrorCode = "unsupported_grant_type"
	CodeInvalidScope           ErrorCode = "invalid_scope"
	CodeInvalidTarget          ErrorCode = "invalid_target"
	CodeAccessDenied           ErrorCode = "access_denied"
	CodeServerError            ErrorCode = "server_error"
	CodeTemporarilyUnavailable ErrorCode = "temporarily_unavailable"

	CodeAuthorizationPending ErrorCode = "authorization_pending"
	CodeSlowDown             ErrorCode = "slow_down"
	CodeExpiredToken         ErrorCode = "expired_token"

	CodeUseDPoPNonce     ErrorCode = "use_dpop_nonce"
	CodeInvalidDPoPProof ErrorCode = "invalid_dpop_proof"

	CodeUnsupportedTokenType  ErrorCode = "unsupported_token_type"
	CodeInvalidRedirectURI    ErrorCode = "invalid_redirect_uri"
	CodeInvalidClientMetadata ErrorCode = "invalid_client_metadata"

	CodeInvalidSoftwareStatement    ErrorCode = "invalid_software_statement"
	CodeUnapprovedSoftwareStatement ErrorCode = "unapproved_software_statement"

	CodeInteractionRequired      ErrorCode = "interaction_required"
	CodeLoginRequired            ErrorCode = "login_required"
	CodeConsentRequired          ErrorCode = "consent_required"
	CodeAccountSelectionRequired ErrorCode = "account_selection_required"
)

// The codes in challenges, besides invalid_request (RFC 6750 §3.1).
const (
	CodeInvalidToken      ErrorCode = "invalid_token"
	CodeInsufficientScope ErrorCode = "insufficient_scope"
)

// codeUnknown stands for an error that names no code.
const codeUnknown ErrorCode = "unknown_error"
