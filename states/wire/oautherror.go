package wire

import "strings"

// ParseOAuthError reads an OAuth error response of a token, registration or
// revocation endpoint (RFC 6749 §5.2, RFC 7591 §3.2.2): a JSON object (or form)
// with `error` on 4xx. Some servers send it on 2xx, also as `ok: false`, so that is
// read too. The result is nil if the response is no such error: if it has another body,
// or is a redirect, a 429 or a 5xx, which say nothing about a credential whatever their
// body holds (docs/decision-tables.md#t8a). 401 with a Basic challenge and without
// such a body reads as invalid_client. Known other spellings of standard codes are
// mapped (#t8b); Raw keeps what was sent.
//
// Rules: token-resp-error-status, token-resp-ok-false, token-resp-error-json,
// token-resp-error-charset, token-resp-invalid-client-401.
func ParseOAuthError(r Response) *OAuthError {
	success := r.Status >= 200 && r.Status < 300
	if !success && (r.Status < 400 || r.Status > 499 || r.Status == 429) {
		return nil
	}
	if !r.Oversized {
		obj, err := ParseObject(r.Body)
		if err != nil {
			obj = formObject(r.Body)
		}
		if e := objectError(obj); e != nil {
			return e
		}
	}
	if r.Status == 401 {
		challenges, _ := ParseChallenges(r.Header)
		for _, c := range challenges {
			if c.Scheme == "basic" {
				return &OAuthError{Code: CodeInvalidClient}
			}
		}
	}
	return nil
}

// objectError reads the error members of an object; nil if it is not an error.
func objectError(obj Object) *OAuthError {
	code := ""
	failed := false
	for i := range obj {
		switch obj[i].Name {
		case "error":
			code, _ = rawString(obj[i].Raw)
		case "ok":
			failed = obj[i].Raw[0] == 'f'
		}
	}
	if code == "" {
		if !failed {
			return nil
		}
		return &OAuthError{Code: codeUnknown, Raw: "ok: false"}
	}
	e := &OAuthError{Code: ErrorCode(Clean(code, shown))}
	if std := standardCode(code); string(std) != code {
		e.Code, e.Raw = std, Clean(code, shown)
	}
	description, _, _ := obj.String("error_description")
	uri, _, _ := obj.String("error_uri")
	e.Description, e.URI = Clean(description, 2*shown), Clean(uri, shown)
	return e
}

// standardCode maps the other spellings that docs/decision-tables.md#t8b names to
// standard codes, and returns any other code unchanged.
func standardCode(code string) ErrorCode {
	switch strings.ToLower(code) {
	case "bad_verification_code", "invalid_code", "code_already_used", "bad_refresh_token", "invalid_refresh_token", "token_expired":
		return CodeInvalidGrant
	case "incorrect_client_credentials", "bad_client_secret", "invalid_client_id":
		return CodeInvalidClient
	case "redirect_uri_mismatch", "bad_redirect_uri":
		return CodeInvalidRequest
	case "unverified_user_email":
		return CodeAccessDenied
	case "fatal_error", "internal_error":
		return CodeServerError
	case "ratelimited":
		return CodeTemporarilyUnavailable
	}
	return ErrorCode(code)
}
