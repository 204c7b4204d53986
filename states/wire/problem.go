package wire

import (
	"github.com/stile-oauth/stile/states/rules"
)

// Problem is what a peer did wrong: the rule it broke and the detail that
// shows it. Detail never holds a secret, and is already sanitised: printable,
// bounded, safe to show.
type Problem struct {
	Rule   rules.ID `json:"rule"`
	Detail string   `json:"detail,omitempty"`
	// OAuth is the error response of the peer, if it sent one.
	OAuth *OAuthError `json:"oauth,omitempty"`
	// Refuse says that the whole step ends here: no other candidate of the same probe
	// may be tried after this (docs/decision-tables.md#refuse).
	Refuse bool `json:"refuse,omitzero"`
	// Plain says that the peer named the http form of an https address. Usually it is
	// behind a proxy and does not know that it was asked by https.
	Plain bool `json:"plain,omitzero"`
}

func (p *Problem) Error() string {
	if w := p.Words(); w != "" {
		return string(p.Rule) + ": " + w
	}
	return string(p.Rule)
}

// Words is the problem without its rule, for a text that names the rule itself or that
// is about another rule.
func (p *Problem) Words() string {
	switch {
	case p.OAuth == nil:
		return p.Detail
	case p.Detail == "":
		return "(" + p.OAuth.String() + ")"
	}
	return p.Detail + " (" + p.OAuth.String() + ")"
}

// OAuthError is an error response as the peer sent it (RFC 6749 §4.1.2.1 and
// §5.2), sanitised for display. Code is the code after alias mapping; Raw is what the
// peer wrote, if that is different.
type OAuthError struct {
	Code        ErrorCode `json:"code"`
	Raw         string    `json:"raw,omitempty"`
	Description string    `json:"description,omitempty"`
	URI         string    `json:"uri,omitempty"`
}

func (e *OAuthError) String() string {
	s := string(e.Code)
	if e.Raw != "" && e.Raw != string(e.Code) {
		s += " (sent as " + e.Raw + ")"
	}
	if e.Description != "" {
		s += ": " + e.Description
	}
	return s
}

// Finding is a breach that was tolerated and recorded.
type Finding struct {
	Rule   rules.ID `json:"rule"`
	Detail string   `json:"detail,omitempty"`
}
