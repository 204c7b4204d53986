package wire

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
)

// Mask removes secrets from a text that comes partly from a peer, such as an
// error_description that quotes the refused refresh token:
//
//	wire.Mask("Invalid refresh token: 8xLOxBtZp8Kq2mVf", secrets) // "Invalid refresh token: secret(…)"
//
// A secret is found in these spellings: as it is, percent-encoded, form-encoded, with
// the escapes of JSON and of HTML, in hexadecimal, in base64 and base64url (also inside
// a longer encoded text, such as Basic credentials), behind up to three nested escapes,
// in letters of any case, and cut off at the end of a shortened text. If it is written
// neither plainly nor in hexadecimal, the whole word that holds it is replaced. Secrets
// that are too short or too plain to be told from words are left alone.
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
	if !cut && !m.holds(text) { // if a word held a secret, the text would hold it too
		return text
	}
	words := strings.Split(text, " ")
	for i, w := range words {
		if m.holds(w) || cut && m.begins(w) {
			words[i] = mask
		}
	}
	if text = strings.Join(words, " "); m.holds(text) { // a secret of several words, in one of the spellings
		return mask
	}
	return text
}

// MayQuote reports whether a text is long enough to hold a secret and is not one of the
// protocol's own words. Most scopes need not be searched.
func MayQuote(text string) bool { return len(text) >= shortSecret && text != OfflineAccess }

// Unquoted returns the texts that hold none of the secrets in any spelling that Mask
// finds, except that it does not look for secrets that are cut off.
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

// replaceFold masks every occurrence of s, in any case. s is in lower case.
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

// small writes ASCII letters in lower case and keeps all other bytes, so that positions
// in the result are the same as in s.
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

// masker knows the spellings to look for, in lower case, because some texts, such as
// media types, lose their case on the way.
type masker struct {
	plain   []string // also in hexadecimal
	encoded []string // base64url, without the characters that depend on the bytes around it
}

// The minimum lengths, in bytes, at which a secret can be told from words (a short one
// must also contain something that words do not), and at which its base64 form can.
const (
	shortSecret = 6
	longSecret  = 20
	shortBase64 = 8
	wordBytes   = "abcdefghijklmnopqrstuvwxyz_-. "
)

// learn adds those spellings of a secret that fit into a text, or all of them if the
// text was cut off. None is shorter than the secret.
func (m *masker) learn(s string, room int, cut bool) {
	if !cut && len(s) > room || len(s) < shortSecret || len(s) < longSecret && strings.Trim(s, wordBytes) == "" {
		return
	}
	m.plain = append(m.plain, small(s))
	for _, e := range []string{url.QueryEscape(s), url.PathEscape(s)} { // a "%" before the secret would turn its first letters into an escape
		if e != s {
			m.plain = append(m.plain, small(e))
		}
	}
	if cut || hex.EncodedLen(len(s)) <= room {
		m.plain = append(m.plain, hex.EncodeToString([]byte(s)))
	}
	for skip := range 3 { // its base64 form at each alignment
		if whole := (len(s) - skip) * 8 / 6; whole >= shortBase64 && (cut || whole <= room) {
			e := base64.RawURLEncoding.EncodeToString([]byte(s[skip:]))
			m.encoded = append(m.encoded, small(e[:whole]))
		}
	}
}

// holds reports whether a text holds a secret in any of the spellings.
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

// begins reports whether a word that was cut off ends with the beginning of a secret.
func (m *masker) begins(w string) bool {
	w, _, cut := strings.Cut(w, "…")
	if i := strings.LastIndexAny(w, `%\&`); i >= 0 && len(w)-i < len(`\u0000`) {
		w = w[:i] // an escape that was cut in the middle
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

// shortestCut is the minimum length of the beginning of a secret that is looked for.
const shortestCut = 4

// endsIn reports whether s ends with a beginning of p that is long enough to be
// recognized.
func endsIn(s, p string) bool {
	for n := min(len(p)-1, len(s)); n >= shortestCut; n-- {
		if s[len(s)-n:] == p[:n] {
			return true
		}
	}
	return false
}

// reads calls is with a text and with the text behind its escapes.
func (m *masker) reads(s string, is func(string) bool) bool {
	for range 4 {
		if is(s) || strings.IndexByte(s, '+') >= 0 && is(unpercent(strings.ReplaceAll(s, "+", " "))) {
			return true
		}
		if strings.IndexByte(s, '&') >= 0 && is(unentity(s)) { // what is not an HTML escape may look like another kind of escape
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

// unpercent undoes the percent escapes that are complete.
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

// SecretsIn returns the secrets in a response or a callback. If the message is refused,
// they are not known from anywhere else.
func SecretsIn(body []byte) []Secret {
	obj, err := ParseObject(body)
	if err != nil {
		obj = formObject(body)
	}
	var out []Secret
	for _, name := range []string{"access_token", "refresh_token", "client_secret", "registration_access_token", "id_token"} {
		if s, _, _ := obj.String(name); s != "" {
			out = append(out, Secret(s))
		}
	}
	return out
}

// SecretsInCallback returns the code and the state in a callback's address.
func SecretsInCallback(address Secret) []Secret {
	u, err := url.Parse(address.Reveal())
	if err != nil {
		return nil
	}
	q := u.Query()
	return []Secret{Secret(q.Get("code")), Secret(q.Get("state"))}
}
