package sqlbase

import (
	"bytes"
	"crypto/sha256"
	"errors"
)

// A value is kept behind its sum, so that a page altered by the disk is noticed and
// its token is sent to nobody:
//
//	stile-sum-1 SHA256-OF-VALUE value
//
// The sum is 32 bytes, and a blank follows it. It does not find forgery, since anyone
// who can write the row can compute the sum; package sealed does. A value without a
// sum was written by an older version.
const sumHead = "stile-sum-1 "

var errDamaged = errors.New("the row is damaged")

func summed(value []byte) []byte {
	sum := sha256.Sum256(value)
	out := make([]byte, 0, len(sumHead)+len(sum)+1+len(value))
	out = append(append(out, sumHead...), sum[:]...)
	return append(append(out, ' '), value...)
}

func unsummed(kept []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(kept, []byte(sumHead))
	if !ok {
		return kept, nil
	}
	if len(rest) <= sha256.Size || rest[sha256.Size] != ' ' {
		return nil, errDamaged
	}
	value := rest[sha256.Size+1:]
	if sum := sha256.Sum256(value); !bytes.Equal(sum[:], rest[:sha256.Size]) {
		return nil, errDamaged
	}
	return value, nil
}
