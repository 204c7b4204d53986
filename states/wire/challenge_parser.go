package wire

import (
	"strconv"
	"strings"
)

// challengeParser walks over one field value.
type challengeParser struct {
	s string
	i int
}

// more skips empty list elements and reports whether anything is left.
func (p *challengeParser) more() bool {
	for p.i < len(p.s) && (p.s[p.i] == ',' || isOWS(p.s[p.i])) {
		p.i++
	}
	return p.i < len(p.s)
}

func (p *challengeParser) ows() {
	for p.i < len(p.s) && isOWS(p.s[p.i]) {
		p.i++
	}
}

func (p *challengeParser) token() string {
	start := p.i
	for p.i < len(p.s) && isTchar(p.s[p.i]) {
		p.i++
	}
	return p.s[start:p.i]
}

// atListEnd reports whether the element ends here (end of field or a comma).
func (p *challengeParser) atListEnd() bool { return p.i == len(p.s) || p.s[p.i] == ',' }

// challenge reads one challenge, beginning with its scheme. On failure p.i is where the
// text stopped making sense.
func (p *challengeParser) challenge(found *[]Finding) (AuthChallenge, bool) {
	c := AuthChallenge{Scheme: strings.ToLower(p.token())}
	if c.Scheme == "" {
		return c, false
	}
	spaced := p.i < len(p.s) && isOWS(p.s[p.i])
	p.ows()
	if p.atListEnd() {
		return c, true
	}
	if !spaced {
		return c, false
	}
	start := p.i
	if t, ok := p.token68(); ok {
		if !strings.HasSuffix(t, "=") || !p.nextParam() {
			c.Token68 = t
			return c, true
		}
		// Parameters follow, so this was a parameter without a value.
		odd(found, "parameter at byte "+strconv.Itoa(start)+" lost: it has no value")
	}
	var conflict []string
	for n := 0; ; n++ {
		if n == maxAuthParams {
			odd(found, "more than 64 parameters in one challenge; the others are lost")
			p.resync()
			return c, true
		}
		start := p.i
		name, value, unquoted, ok := p.param()
		p.ows()
		comma := p.atListEnd()
		if !ok || !comma && !p.atParam() {
			odd(found, "parameter at byte "+strconv.Itoa(start)+" lost: unexpected text at byte "+strconv.Itoa(p.i))
			p.i = start
			p.skipParam()
			comma = true
		} else {
			if unquoted {
				odd(found, "the value of "+quoted(name)+" should be in quotes")
			}
			if !comma {
				odd(found, "no comma at byte "+strconv.Itoa(p.i)+", behind the parameter "+quoted(name))
			}
			conflict = c.addParam(name, value, conflict, found)
		}
		if comma && !p.nextParam() {
			return c, true
		}
	}
}

// skipParam moves past a parameter that could not be read, to the next comma
// outside quotes.
func (p *challengeParser) skipParam() {
	for p.i < len(p.s) && p.s[p.i] != ',' {
		if p.s[p.i] == '"' {
			p.skipQuoted()
			continue
		}
		p.i++
	}
}

// token68 reads a token68 that fills the rest of the list element; otherwise it does
// not move.
func (p *challengeParser) token68() (string, bool) {
	start := p.i
	j := start
	for j < len(p.s) && isToken68(p.s[j]) {
		j++
	}
	if j == start {
		return "", false
	}
	for j < len(p.s) && p.s[j] == '=' {
		j++
	}
	end := j
	for j < len(p.s) && isOWS(p.s[j]) {
		j++
	}
	if j < len(p.s) && p.s[j] != ',' {
		return "", false
	}
	p.i = j
	return p.s[start:end], true
}

// param reads name = value, with optional white space around the sign (RFC 9110 §11.2).
// unquoted says that the value is not a token and should have been in quotes.
func (p *challengeParser) param() (name, value string, unquoted, ok bool) {
	name = strings.ToLower(p.token())
	p.ows()
	if name == "" || p.i == len(p.s) || p.s[p.i] != '=' {
		return "", "", false, false
	}
	p.i++
	p.ows()
	if p.i < len(p.s) && p.s[p.i] == '"' {
		value, ok = p.quotedString()
		return name, value, false, ok
	}
	start := p.i
	for p.i < len(p.s) && p.s[p.i] != ',' && p.s[p.i] > ' ' && p.s[p.i] < 0x7f && p.s[p.i] != '"' && p.s[p.i] != '\\' {
		unquoted = unquoted || !isTchar(p.s[p.i])
		p.i++
	}
	value = p.s[start:p.i]
	return name, value, unquoted, value != ""
}

// quotedString reads a quoted-string (RFC 9110 §5.6.4) and undoes its escapes.
func (p *challengeParser) quotedString() (string, bool) {
	p.i++
	start := p.i
	var b strings.Builder
	for ; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; {
		case c == '"':
			rest := p.s[start:p.i]
			p.i++
			if b.Len() == 0 {
				return rest, true
			}
			b.WriteString(rest)
			return b.String(), true
		case c == '\\':
			b.WriteString(p.s[start:p.i])
			p.i++
			if p.i == len(p.s) || isCTL(p.s[p.i]) {
				return "", false
			}
			start = p.i
		case isCTL(c):
			return "", false
		}
	}
	return "", false
}

// nextParam reports whether another parameter of the same challenge follows the comma,
// and if so moves there. It does not move if a new challenge follows.
func (p *challengeParser) nextParam() bool {
	save := p.i
	if p.more() && p.atParam() {
		return true
	}
	p.i = save
	return false
}

// atParam reports whether a name and an equals sign follow.
func (p *challengeParser) atParam() bool {
	look := *p
	if look.token() == "" {
		return false
	}
	look.ows()
	return look.i < len(look.s) && look.s[look.i] == '='
}

// resync moves past a challenge that could not be read, to the next comma outside
// quotes that is followed by a new challenge.
func (p *challengeParser) resync() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case '"':
			p.skipQuoted()
			continue
		case ',':
			at, starts := p.startsChallenge()
			if starts {
				return
			}
			p.i = at
			continue
		}
		p.i++
	}
}

func (p *challengeParser) skipQuoted() {
	for p.i++; p.i < len(p.s); p.i++ {
		switch p.s[p.i] {
		case '\\':
			p.i++
		case '"':
			p.i++
			return
		}
	}
	p.i = len(p.s)
}

// startsChallenge looks at what follows the comma at p.i. A challenge begins there if
// there is a scheme, that is, a token followed by a space and more text, or a token
// alone, and not a parameter. next is where the list element begins.
func (p *challengeParser) startsChallenge() (next int, ok bool) {
	look := challengeParser{s: p.s, i: p.i}
	look.more()
	next = look.i
	if look.token() == "" {
		return next, false
	}
	spaced := look.i < len(look.s) && isOWS(look.s[look.i])
	look.ows()
	if look.atListEnd() {
		return next, true
	}
	return next, spaced && look.s[look.i] != '='
}

func isOWS(c byte) bool { return c == ' ' || c == '\t' }

func isCTL(c byte) bool { return c < 0x20 && c != '\t' || c == 0x7f }

func isAlnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

func isTchar(c byte) bool {
	return isAlnum(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func isToken68(c byte) bool {
	return isAlnum(c) || c == '-' || c == '.' || c == '_' || c == '~' || c == '+' || c == '/'
}
