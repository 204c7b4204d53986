package wire

import (
	"math"
	"strconv"
)

// numberKind says in what form a number of seconds came.
type numberKind int

const (
	numberPlain    numberKind = iota // a JSON number, whole and not negative
	numberText                       // a string of decimal digits
	numberNegative                   // less than zero
	numberJunk                       // a fraction, another type, no number at all
)

// rawSeconds reads a whole number of seconds. A number that is too large for the type
// gives the largest value of the type; 3600.0 and 3.6e3 are whole numbers.
func rawSeconds(raw []byte) (int64, numberKind) {
	text, kind := string(raw), numberPlain
	if s, ok := rawString(raw); ok {
		for i := 0; i < len(s); i++ {
			if s[i] < '0' || s[i] > '9' {
				return 0, numberJunk
			}
		}
		text, kind = s, numberText
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if n < 0 {
			return 0, numberNegative
		}
		return n, kind
	}
	if text == "" || raw[0] > '9' { // true, false, null, an array or an object
		return 0, numberJunk
	}
	f, _ := strconv.ParseFloat(text, 64) // the grammar was checked before: it is infinite if it is too large
	switch {
	case f < 0:
		return 0, numberNegative
	case f >= math.MaxInt64:
		return math.MaxInt64, kind
	case f != math.Trunc(f):
		return 0, numberJunk
	}
	return int64(f), kind
}
