package wire

import (
	"strconv"
	"strings"
	"time"
)

// Class is what the status of a response says about it (docs/decision-tables.md#t8a).
// The parser of the message reads what the body says.
type Class string

// The classes of a response.
const (
	ClassOK        Class = "ok"        // 2xx
	ClassOther4xx  Class = "4xx"       // a definitive 4xx: the same request would get it again
	ClassThrottled Class = "throttled" // 429, and 407, 408, 421, 425: another try may succeed
	ClassServer    Class = "server"    // 5xx; also a status that does not exist in HTTP
	ClassRedirect  Class = "redirect"  // 3xx
)

// maxRetryAfter is the longest time that a peer can make us wait.
const maxRetryAfter = time.Hour

// RetryAfter reads the Retry-After field (RFC 9110 §10.2.3), seconds or a date,
// as the time to wait, counted from at: never negative, never more than an hour. ok is
// false if there is no such field that can be read.
//
// Rules: net-retry-after.
func RetryAfter(r Response, at time.Time) (wait time.Duration, ok bool) {
	v, _ := header(r.Header, "Retry-After")
	v = strings.TrimSpace(v)
	if v != "" && strings.Trim(v, "0123456789") == "" {
		n, _ := strconv.ParseInt(v, 10, 64) // what does not fit gives the largest number
		if n > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter, true
		}
		return time.Duration(n) * time.Second, true
	}
	if t, ok := httpDate(v); ok {
		return min(max(t.Sub(at), 0), maxRetryAfter), true
	}
	return 0, false
}

// ResponseDate is the time at which a server says that it answered (RFC 9110 §6.6.1).
func ResponseDate(r Response) (at time.Time, ok bool) {
	v, _ := header(r.Header, "Date")
	return httpDate(strings.TrimSpace(v))
}

func httpDate(v string) (time.Time, bool) {
	for _, layout := range [...]string{"Mon, 02 Jan 2006 15:04:05 GMT", time.RFC850, time.ANSIC} {
		if t, err := time.Parse(layout, v); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
