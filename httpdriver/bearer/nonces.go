package bearer

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"sync"
	"time"
)

// Nonces makes the nonces that proofs have to hold, and recognizes them. Nothing is
// stored, because a nonce is the time, authenticated with a key. Servers that share the
// key accept each other's nonces. It is safe for concurrent use.
type Nonces struct {
	key  []byte
	life time.Duration
}

// NewNonces makes nonces that are valid for between life and twice life; zero is two
// minutes. The key has 32 bytes or more; if there is none, a random one is used.
func NewNonces(key []byte, life time.Duration) (*Nonces, error) {
	if len(key) == 0 {
		key = make([]byte, 32)
		if _, err := rand.Read(key); err != nil {
			return nil, err
		}
	}
	switch {
	case len(key) < 32:
		return nil, errors.New("bearer: the key of nonces has 32 bytes or more")
	case life < 0:
		return nil, errors.New("bearer: the life of a nonce is negative")
	case life == 0:
		life = 2 * time.Minute
	}
	return &Nonces{key: append([]byte{}, key...), life: life}, nil
}

// Current is the nonce that clients should use now.
func (n *Nonces) Current(at time.Time) string { return n.of(at.UnixNano() / int64(n.life)) }

func (n *Nonces) of(period int64) string {
	m := hmac.New(sha256.New, n.key)
	m.Write(binary.BigEndian.AppendUint64([]byte("dpop nonce "), uint64(period)))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:18])
}

func (n *Nonces) good(at time.Time, nonce string) bool {
	period := at.UnixNano() / int64(n.life)
	now, before := n.of(period), n.of(period-1)
	return hmac.Equal([]byte(nonce), []byte(now)) || hmac.Equal([]byte(nonce), []byte(before))
}

// seen remembers which proofs were used, each for at least as long as it could be used
// again. It has two halves, and forgets the older half as a whole. It is given only
// proofs that are valid in every other way, so strangers cannot fill it.
type seen struct {
	mu         sync.Mutex
	most       int
	life       time.Duration
	since      time.Time
	now, older map[[16]byte]struct{}
}

type sighting int

const (
	seenFirst sighting = iota
	seenBefore
	seenFull
)

func newSeen(most int, life time.Duration) *seen {
	return &seen{most: max(most/2, 1), life: life, now: map[[16]byte]struct{}{}}
}

func (s *seen) first(at time.Time, what string) sighting {
	sum := sha256.Sum256([]byte(what))
	key := [16]byte(sum[:16])
	s.mu.Lock()
	defer s.mu.Unlock()
	switch age := at.Sub(s.since); {
	case age >= 2*s.life:
		s.now, s.older, s.since = map[[16]byte]struct{}{}, nil, at
	case age >= s.life:
		s.now, s.older, s.since = map[[16]byte]struct{}{}, s.now, at
	}
	if _, ok := s.now[key]; ok {
		return seenBefore
	}
	if _, ok := s.older[key]; ok {
		return seenBefore
	}
	if len(s.now) >= s.most {
		return seenFull
	}
	s.now[key] = struct{}{}
	return seenFirst
}
