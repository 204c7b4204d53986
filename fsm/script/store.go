package script

import (
	"slices"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// entry is one stored value.
type entry struct {
	key        states.Key
	value      wire.Secret
	generation states.Generation
	expires    time.Time
}

type lease struct {
	key   states.Key
	fence uint64
	until time.Time
}

// store is the store of a script: it keeps the contract of package storage,
// on the script's clock.
type store struct {
	entries []entry
	leases  []lease
	last    states.Generation
	fences  uint64
}

func (s *store) find(at time.Time, k states.Key) *entry {
	s.entries = slices.DeleteFunc(s.entries, func(e entry) bool { return !e.expires.IsZero() && !at.Before(e.expires) })
	for i := range s.entries {
		if s.entries[i].key == k {
			return &s.entries[i]
		}
	}
	return nil
}

func (s *store) put(at time.Time, k states.Key, v wire.Secret, expected states.Generation, expires time.Time) (states.Generation, bool) {
	e := s.find(at, k)
	if e == nil && expected != 0 || e != nil && e.generation != expected {
		return 0, false
	}
	if e == nil {
		s.entries = append(s.entries, entry{key: k})
		e = &s.entries[len(s.entries)-1]
	}
	s.last++
	e.value, e.generation, e.expires = v, s.last, expires
	return s.last, true
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
		s.leases = slices.DeleteFunc(s.leases, func(l lease) bool { return !at.Before(l.until) })
		if slices.ContainsFunc(s.leases, func(l lease) bool { return l.key == q.Key }) {
			return states.Held{Serial: q.Serial}
		}
		s.fences++
		s.leases = append(s.leases, lease{q.Key, s.fences, at.Add(q.TTL)})
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
	s.entries = slices.DeleteFunc(s.entries, func(e entry) bool { return e.key == k })
	return done
}

// release ends a lease; one that is not there any more is left alone.
func (s *store) release(k states.Key, fence uint64) {
	s.leases = slices.DeleteFunc(s.leases, func(l lease) bool { return l.key == k && l.fence == fence })
}
