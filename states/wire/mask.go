package wire

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// Mask takes secrets out of a text that a peer had a hand in, such as an
// error_description that quotes the refresh token it refuses:
//
//	wire.Mask("Invalid refresh token: 8xLOxBtZp8Kq2mVf", secrets) // "Invalid refresh token: secret(…)"
//
// A secret is found as it is, percent-encoded, form-encoded, with the escapes of
// JSON, in base64 and base64url (also inside a longer encoded text, such as Basic
// credentials), behind up to three of these one inside the other, and cut off at
// the end of a text that was shortened. Where it is not written plainly, the word
// that holds it goes. Secrets too short or too plain to be told from words are
// left alone.
// Rules: log-error-echo.
func Mask(text string, secrets []Secret) string {
	m, cut := masker{}, strings.Contains(text, "…")
	for _, s := range secrets {
		if cut || len(s) <= len(text) { // no spelling is shorter than the secret
			m.learn(s.Reveal())
		}
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
	plain   []string
	encoded []string // base64url, without what depends on the bytes around it
}

// The lengths, in bytes, from which a secret can be told from words: a short one
// must hold something that words do not.
const (
	shortSecret = 8
	longSecret  = 20
	wordBytes   = "abcdefghijklmnopqrstuvwxyz_-. "
)

func (m *masker) learn(s string) {
	if len(s) < shortSecret || len(s) < longSecret && strings.Trim(s, wordBytes) == "" {
		return
	}
	m.plain = append(m.plain, small(s))
	for skip := range 3 { // what base64 makes of it at each alignment
		e := base64.RawURLEncoding.EncodeToString([]byte(s[skip:]))
		if whole := (len(s) - skip) * 8 / 6; whole >= shortSecret {
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
	if i := strings.LastIndexAny(w, `%\`); i >= 0 && len(w)-i < len(`\u0000`) {
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

// endsIn reports whether s ends in a beginning of p that is long enough to tell.
func endsIn(s, p string) bool {
	for n := min(len(p)-1, len(s)); n >= shortSecret/2; n-- {
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
		next := unpercent(unbackslash(s))
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
