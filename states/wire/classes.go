package wire

import (
	"strconv"
	"strings"
	"time"
)

// Class is a row of docs/decision-tables.md#t8a that a response can fall in: HTTP
// status and shape of the body, nothing else.
type Class string

// The classes of a response.
const (
	ClassOK        Class = "ok"        // 2xx with a JSON object (or a token form) that is no error
	ClassOAuth     Class = "oauth"     // an OAuth error response; ParseOAuthError reads it
	ClassDenied    Class = "denied"    // 401 or 403 without one
	ClassGone      Class = "gone"      // 404, 405 or 410 without one
	ClassOther4xx  Class = "other-4xx" // other 4xx without one
	ClassThrottled Class = "throttled" // 429, any body
	ClassServer    Class = "server"    // 5xx, any body; also a status that HTTP does not have
	ClassRedirect  Class = "redirect"  // 3xx
	ClassNotJSON   Class = "not-json"  // 2xx with HTML, other text, nothing, or JSON that is no object
	ClassMalformed Class = "malformed" // 2xx with broken, ambiguous or too long JSON
)

// Classify names the class of a response. It reads the body again, so a caller
// that parses the response anyway asks only when the parser objected.
func Classify(r Response) Class {
	switch {
	case r.Status == 429:
		return ClassThrottled
	case r.Status >= 300 && r.Status < 400:
		return ClassRedirect
	case r.Status >= 400 && r.Status < 500:
		if ParseOAuthError(r) != nil {
			return ClassOAuth
		}
		switch r.Status {
		case 401, 403:
			return ClassDenied
		case 404, 405, 410:
			return ClassGone
		}
		return ClassOther4xx
	case r.Status < 200 || r.Status > 299:
		return ClassServer
	case r.Oversized:
		return ClassMalformed
	}
	obj, err := ParseObject(r.Body)
	if err == nil {
		if objectError(obj) != nil {
			return ClassOAuth
		}
		return ClassOK
	}
	if form := formObject(r.Body); form != nil {
		if objectError(form) != nil {
			return ClassOAuth
		}
		return ClassOK
	}
	if startsObject(r.Body) {
		return ClassMalformed
	}
	return ClassNotJSON
}

// maxRetryAfter bounds how long a peer can make us wait.
const maxRetryAfter = time.Hour

// RetryAfter reads the Retry-After field (RFC 9110 §10.2.3), seconds or a date,
// as the time to wait from at: never negative, never more than an hour. ok is
// false when there is none that can be read.
// Rule: net-retry-after.
//
// Rules: net-retry-after.
func RetryAfter(r Response, at time.Time) (wait time.Duration, ok bool) {
	v, ok := header(r.Header, "Retry-After")
	if !ok {
		return 0, false
	}
	v = strings.TrimSpace(v)
	if v != "" && strings.Trim(v, "0123456789") == "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter, true
		}
		return time.Duration(n) * time.Second, true
	}
	for _, layout := range [...]string{"Mon, 02 Jan 2006 15:04:05 GMT", time.RFC850, time.ANSIC} {
		if t, err := time.Parse(layout, v); err == nil {
			return min(max(t.Sub(at), 0), maxRetryAfter), true
		}
	}
	return 0, false
}
