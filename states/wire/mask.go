package wire

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
)

// Mask takes secrets out of a text that a peer had a hand in, such as an
// error_description that quotes the refresh token it refuses:
//
//	wire.Mask("Invalid refresh token: 8xLOxBtZp8Kq2mVf", secrets) // "Invalid refresh token: secret(…)"
//
// A secret is found as it is, percent-encoded, form-encoded, with the escapes of
// JSON and of HTML, in hexadecimal, in base64 and base64url (also inside a longer
// encoded text, such as Basic credentials), behind up to three escapes one inside
// the other, in letters of any case, and cut off at the end of a text that was
// shortened. Where it is written neither plainly nor in hexadecimal, the word that
// holds it goes. Secrets too short or too plain to be told from words are left alone.
// Rules: log-error-echo.
func Mask(text string, secrets []Secret) string {
	m, cut := masker{}, strings.Contains(text, "…")
	for _, s := range secrets {
		m.learn(s.Reveal(), len(text), cut)
	}
	if len(m.plain) == 0 || text == "" {
		return text
	}
	for _, s := range m.plain {
		text = replaceFold(text, s)
	}
	if !cut && !m.holds(text) { // what a word holds the text holds too
		return text
	}
	words := strings.Split(text, " ")
	for i, w := range words {
		if m.holds(w) || cut && m.begins(w) {
			words[i] = mask
		}
	}
	if text = strings.Join(words, " "); m.holds(text) { // a secret of several words, in some spelling
		return mask
	}
	return text
}

// MayQuote reports whether a text is long enough to hold a secret, and none of the
// protocol's own words: most scopes need not be searched.
func MayQuote(text string) bool { return len(text) >= shortSecret && text != OfflineAccess }

// Unquoted gives those texts that hold none of the secrets, in any spelling that Mask
// finds but for one that is cut off.
// Rules: log-error-echo.
func Unquoted(texts []string, secrets []Secret) []string {
	m, longest := masker{}, 0
	for _, text := range texts {
		longest = max(longest, len(text))
	}
	for _, s := range secrets {
		m.learn(s.Reveal(), longest, false)
	}
	if len(m.plain) == 0 || !slices.ContainsFunc(texts, m.holds) {
		return texts
	}
	return slices.DeleteFunc(slices.Clone(texts), m.holds)
}

// replaceFold masks every s, which is in small letters, whatever the case.
func replaceFold(text, s string) string {
	var b strings.Builder
	for lower := small(text); ; {
		i := strings.Index(lower, s)
		if i < 0 {
			return b.String() + text
		}
		b.WriteString(text[:i] + mask)
		text, lower = text[i+len(s):], lower[i+len(s):]
	}
}

// small writes the letters of ASCII in small; all other bytes stay, so that a
// place in it is the same place in s.
func small(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r >= 'A' && r <= 'Z' }) < 0 {
		return s
	}
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return string(b)
}

// masker knows the spellings that are looked for, in small letters: some texts,
// such as media types, lose their case on the way.
type masker struct {
	plain   []string // also in hexadecimal
	encoded []string // base64url, without what depends on the bytes around it
}

// The lengths, in bytes, from which a secret can be told from words: a short one
// must hold something that words do not. And from which what base64 makes of it can.
const (
	shortSecret = 6
	longSecret  = 20
	shortBase64 = 8
	wordBytes   = "abcdefghijklmnopqrstuvwxyz_-. "
)

// learn takes those spellings of a secret that a text has room for, and all of them
// when it was cut off. None is shorter than the secret.
func (m *masker) learn(s string, room int, cut bool) {
	if !cut && len(s) > room || len(s) < shortSecret || len(s) < longSecret && strings.Trim(s, wordBytes) == "" {
		return
	}
	m.plain = append(m.plain, small(s))
	for _, e := range []string{url.QueryEscape(s), url.PathEscape(s)} { // a "%" before it would join its first letters to an escape
		if e != s {
			m.plain = append(m.plain, small(e))
		}
	}
	if cut || hex.EncodedLen(len(s)) <= room {
		m.plain = append(m.plain, hex.EncodeToString([]byte(s)))
	}
	for skip := range 3 { // what base64 makes of it at each alignment
		if whole := (len(s) - skip) * 8 / 6; whole >= shortBase64 && (cut || whole <= room) {
			e := base64.RawURLEncoding.EncodeToString([]byte(s[skip:]))
			m.encoded = append(m.encoded, small(e[:whole]))
		}
	}
}

// holds reports whether a text holds a secret in some spelling.
func (m *masker) holds(s string) bool {
	return m.reads(s, func(s string) bool {
		s = small(s)
		for _, p := range m.plain {
			if strings.Contains(s, p) {
				return true
			}
		}
		url := base64url.Replace(s)
		for _, e := range m.encoded {
			if strings.Contains(url, e) {
				return true
			}
		}
		return false
	})
}

// begins reports whether a word that was cut off ends in the beginning of a
// secret.
func (m *masker) begins(w string) bool {
	w, _, cut := strings.Cut(w, "…")
	if i := strings.LastIndexAny(w, `%\&`); i >= 0 && len(w)-i < len(`\u0000`) {
		w = w[:i] // an escape that was cut through
	}
	return cut && m.reads(w, func(s string) bool {
		s = small(s)
		for _, p := range m.plain {
			if endsIn(s, p) {
				return true
			}
		}
		url := base64url.Replace(s)
		for _, e := range m.encoded {
			if endsIn(url, e) {
				return true
			}
		}
		return false
	})
}

// shortestCut is the length of the shortest beginning of a secret that is looked for.
const shortestCut = 4

// endsIn reports whether s ends in a beginning of p that is long enough to tell.
func endsIn(s, p string) bool {
	for n := min(len(p)-1, len(s)); n >= shortestCut; n-- {
		if s[len(s)-n:] == p[:n] {
			return true
		}
	}
	return false
}

// reads asks is of a text and of what is behind its escapes.
func (m *masker) reads(s string, is func(string) bool) bool {
	for range 4 {
		if is(s) || strings.IndexByte(s, '+') >= 0 && is(unpercent(strings.ReplaceAll(s, "+", " "))) {
			return true
		}
		if strings.IndexByte(s, '&') >= 0 && is(unentity(s)) { // what HTML does not escape may look like another escape
			return true
		}
		next := unpercent(unentity(unbackslash(s)))
		if next == s {
			return false
		}
		s = next
	}
	return false
}

var base64url = strings.NewReplacer("+", "-", "/", "_")

// unpercent undoes the percent escapes that are whole.
func unpercent(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			b.WriteByte(unhex(s[i+1])<<4 | unhex(s[i+2]))
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// unbackslash undoes the escapes of JSON strings.
func unbackslash(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if s[i] == 'u' && i+4 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) && isHex(s[i+3]) && isHex(s[i+4]) {
			b.WriteRune(rune(unhex(s[i+1]))<<12 | rune(unhex(s[i+2]))<<8 | rune(unhex(s[i+3]))<<4 | rune(unhex(s[i+4])))
			i += 4
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// SecretsIn gives the secrets that a response or a callback brought: they are
// not known otherwise when the message is refused.
func SecretsIn(body []byte) []Secret {
	obj, err := ParseObject(body)
	if err != nil {
		obj = formObject(body)
	}
	var out []Secret
	for _, name := range []string{"access_token", "refresh_token", "client_secret", "registration_access_token", "id_token"} {
		if s, _, ok := obj.String(name); ok && s != "" {
			out = append(out, Secret(s))
		}
	}
	return out
}

// SecretsInCallback gives the code and the state of a callback's address.
func SecretsInCallback(address Secret) []Secret {
	u, err := url.Parse(address.Reveal())
	if err != nil {
		return nil
	}
	q := u.Query()
	return []Secret{Secret(q.Get("code")), Secret(q.Get("state"))}
}
