package explore

import (
	"slices"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// entry is one stored value, with what it says.
type entry struct {
	key        states.Key
	value      wire.Secret
	generation states.Generation
	expires    time.Time
	credential *states.Credential
	client     *wire.Client
	ledger     *states.Ledger
}

type lease struct {
	key   states.Key
	fence uint64
	until time.Time
}

// store keeps the contract of package storage, on the world's clock. It is a
// value: every change makes new lists.
type store struct {
	entries []entry
	leases  []lease
	last    states.Generation
	fences  uint64
}

func (s *store) find(at time.Time, k states.Key) *entry {
	for i := range s.entries {
		if e := &s.entries[i]; e.key == k && (e.expires.IsZero() || at.Before(e.expires)) {
			return e
		}
	}
	return nil
}

func (s *store) without(k states.Key) []entry {
	out := make([]entry, 0, len(s.entries)+1)
	for i := range s.entries {
		if s.entries[i].key != k {
			out = append(out, s.entries[i])
		}
	}
	return out
}

func (s *store) put(at time.Time, k states.Key, v wire.Secret, expected states.Generation, expires time.Time) (states.Generation, bool) {
	e := s.find(at, k)
	if e == nil && expected != 0 || e != nil && e.generation != expected {
		return 0, false
	}
	s.last++
	n := entry{key: k, value: v, generation: s.last, expires: expires}
	n.read()
	s.entries = append(s.without(k), n)
	slices.SortStableFunc(s.entries, func(a, b entry) int { return rank(a.key.Kind) - rank(b.key.Kind) })
	return s.last, true
}

func rank(k states.Kind) int {
	return slices.Index([]states.Kind{states.KindCredential, states.KindRegistration, states.KindMark, states.KindLedger, states.KindLogin}, k)
}

// read decodes what decisions and fingerprints are made of.
func (n *entry) read() {
	switch n.key.Kind {
	case states.KindCredential:
		n.credential, _ = states.DecodeCredential(n.value)
	case states.KindRegistration:
		if r, err := states.DecodeRegistration(n.value); err == nil {
			n.client = &r.Client
		}
	case states.KindLedger:
		l := states.DecodeLedger(n.value)
		n.ledger = &l
	}
}

// answer carries out one question to the store, as a backend would.
func (s *store) answer(at time.Time, q states.Effect) states.Input {
	switch q := q.(type) {
	case states.Load:
		if e := s.find(at, q.Key); e != nil {
			return states.Loaded{Serial: q.Serial, Value: e.value, Generation: e.generation}
		}
		return states.NotFound{Serial: q.Serial}
	case states.Save:
		g, ok := s.put(at, q.Key, q.Value, q.Expected, q.Expires)
		if !ok {
			return states.Conflicted{Serial: q.Serial}
		}
		return states.Saved{Serial: q.Serial, Generation: g}
	case states.Delete:
		return s.remove(at, q.Key, q.Expected, q.Serial, states.Deleted{Serial: q.Serial})
	case states.Claim:
		return s.remove(at, q.Key, q.Expected, q.Serial, states.Claimed{Serial: q.Serial})
	case states.Lease:
		var kept []lease
		for _, l := range s.leases {
			if at.Before(l.until) {
				kept = append(kept, l)
			}
		}
		for _, l := range kept {
			if l.key == q.Key {
				return states.Held{Serial: q.Serial}
			}
		}
		s.fences++
		s.leases = append(kept, lease{q.Key, s.fences, at.Add(q.TTL)})
		return states.Leased{Serial: q.Serial, Fence: s.fences, TTL: q.TTL}
	}
	return nil
}

func (s *store) remove(at time.Time, k states.Key, expected states.Generation, serial uint64, done states.Input) states.Input {
	e := s.find(at, k)
	switch {
	case e == nil:
		return states.NotFound{Serial: serial}
	case e.generation != expected:
		return states.Conflicted{Serial: serial}
	}
	s.entries = s.without(k)
	return done
}

// release ends a lease; it reports whether the lease was still there.
func (s *store) release(at time.Time, k states.Key, fence uint64) bool {
	var kept []lease
	was := false
	for _, l := range s.leases {
		if l.key == k && l.fence == fence {
			was = at.Before(l.until)
			continue
		}
		kept = append(kept, l)
	}
	s.leases = kept
	return was
}

// held gives the lease of a fence while it lasts.
func (s *store) held(at time.Time, fence uint64) *lease {
	for i := range s.leases {
		if s.leases[i].fence == fence && at.Before(s.leases[i].until) {
			return &s.leases[i]
		}
	}
	return nil
}

func (e *encoder) store(s *store) {
	for i := range s.entries {
		n := &s.entries[i]
		if !n.expires.IsZero() && !e.at.Before(n.expires) {
			continue
		}
		e.stored(n)
	}
	e.byte(0xff)
	for _, l := range s.leases {
		if e.at.Before(l.until) {
			e.time(l.until)
		}
	}
	e.byte(0xfe)
}

// stored writes one entry.
func (e *encoder) stored(n *entry) {
	e.text(string(n.key.Kind))
	e.entry(n.generation)
	e.time(n.expires)
	switch {
	case n.credential != nil:
		e.credential(n.credential)
	case n.client != nil:
		e.text(n.key.Name)
		e.client(n.client)
	case n.ledger != nil:
		e.ledger(n.ledger)
	case n.key.Kind == states.KindLogin:
		e.secret(n.key.Name)
	case n.key.Kind != states.KindMark:
		e.text(n.value.Reveal())
	}
}
