package loopback

import (
	"fmt"
	"net/url"
	"strings"
)

// PasteError says why a pasted text was not taken, and what is wanted. The receiver
// waits on.
type PasteError struct {
	// Begins is how the address that is wanted begins.
	Begins string
	reason string
}

func (e *PasteError) Error() string {
	return fmt.Sprintf("%s; the address begins with %s", e.reason, e.Begins)
}

// Paste hands in a callback URL that a user copied from the browser. It races the
// listener for the same login and is judged in the same way. Blanks, quotes and angle
// brackets around it are removed; a query alone ("?code=…") is taken as one for our
// redirect URI. A text that cannot be the callback is a PasteError.
func (r *Receiver) Paste(raw string) error {
	if r.isDone() {
		return ErrClosed
	}
	raw = strings.Trim(raw, " \t\r\n\"'<>`")
	if strings.HasPrefix(raw, "?") {
		sep := "?"
		if strings.Contains(r.redirect, "?") {
			sep = "&"
		}
		raw = r.redirect + sep + raw[1:]
	}
	if reason := r.unwanted(raw); reason != "" {
		return &PasteError{Begins: r.redirect, reason: reason}
	}
	select {
	case r.offers <- offer{raw: raw}:
		return nil
	default:
		return &PasteError{Begins: r.redirect, reason: "too many answers are waiting to be looked at"}
	}
}

// unwanted says what a text is if it is not our callback.
func (r *Receiver) unwanted(raw string) string {
	if raw == "" {
		return "nothing was pasted"
	}
	if len(raw) > maxCallback {
		return "what was pasted is too long for an address"
	}
	got, err := url.Parse(raw)
	if err != nil || got.Scheme != "http" && got.Scheme != "https" || got.Host == "" {
		return "this is no address: paste the whole address that the browser ended at, not a part of it"
	}
	want, err := url.Parse(r.redirect)
	if err != nil {
		return "" // nothing to compare with
	}
	if got.Scheme != want.Scheme || !strings.EqualFold(got.Host, want.Host) || got.EscapedPath() != want.EscapedPath() {
		return "this is the address of another page: paste the one that the browser ended at after the login"
	}
	if q := got.Query(); !q.Has("code") && !q.Has("error") && !q.Has("state") {
		return "this address holds no answer of a login: paste all of it, with what follows the question mark"
	}
	return ""
}
