package httpdriver

import (
	"crypto/rand"
	"sync"
)

// randomness draws from the operating system, many bytes at a time: every run needs some,
// and a call of the system for each would be a twentieth of what reading a stored token
// costs. What was given out is cleared.
type randomness struct {
	mu    sync.Mutex
	bytes [1024]byte
	left  int // at the end of bytes
}

func (r *randomness) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for n < len(p) {
		if r.left == 0 {
			_, _ = rand.Read(r.bytes[:]) // it never fails
			r.left = len(r.bytes)
		}
		from := r.bytes[len(r.bytes)-r.left:]
		k := copy(p[n:], from)
		clear(from[:k])
		r.left -= k
		n += k
	}
	return n, nil
}
