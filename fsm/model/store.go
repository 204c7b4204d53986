package model

import (
	"iter"
	"slices"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// Entry is one stored value, with its decoded content if it can be decoded.
type Entry struct {
	Key        states.Key
	Value      wire.Secret
	Generation states.Generation
	Expires    time.Time // zero: it does not expire
	Credential *states.Credential
	Client     *wire.Client
	Ledger     *states.Ledger
}

// Lease is a lease that was granted.
type Lease struct {
	Key   states.Key
	Fence uint64
	Until time.Time
}

// Store keeps the contract of package storage, by the clock of the process that asks. It
// is a value: a copy is independent, because every change makes new lists.
type Store struct {
	entries []Entry // by kind; expired ones stay until they are overwritten
	Leases  []Lease
	// Last is the last generation, Fences the last fence that was given.
	Last   states.Generation
	Fences uint64
}

// Entries gives the entries that exist at a time, by kind.
func (s *Store) Entries(at time.Time) iter.Seq[*Entry] {
	return func(yield func(*Entry) bool) {
		for i := range s.entries {
			if e := &s.entries[i]; e.lives(at) && !yield(e) {
				return
			}
		}
	}
}

func (e *Entry) lives(at time.Time) bool { return e.Expires.IsZero() || at.Before(e.Expires) }

// Find gives the entry of a key, or nil if there is none at that time.
func (s *Store) Find(at time.Time, k states.Key) *Entry {
	for i := range s.entries {
		if e := &s.entries[i]; e.Key == k && e.lives(at) {
			return e
		}
	}
	return nil
}

func (s *Store) without(k states.Key) []Entry {
	out := make([]Entry, 0, len(s.entries)+1)
	for i := range s.entries {
		if s.entries[i].Key != k {
			out = append(out, s.entries[i])
		}
	}
	return out
}

// Put writes an entry. It returns false if the stored generation is not the expected
// one (0: no entry).
func (s *Store) Put(at time.Time, k states.Key, v wire.Secret, expected states.Generation, expires time.Time) (states.Generation, bool) {
	e := s.Find(at, k)
	if e == nil && expected != 0 || e != nil && e.Generation != expected {
		return 0, false
	}
	s.Last++
	s.entries = append(s.without(k), NewEntry(k, v, s.Last, expires))
	slices.SortStableFunc(s.entries, func(a, b Entry) int { return rank(a.Key.Kind) - rank(b.Key.Kind) })
	return s.Last, true
}

func rank(k states.Kind) int {
	return slices.Index([]states.Kind{states.KindCredential, states.KindRegistration, states.KindMark, states.KindLedger, states.KindLogin}, k)
}

// NewEntry makes an entry and decodes its content.
func NewEntry(k states.Key, v wire.Secret, g states.Generation, expires time.Time) Entry {
	n := Entry{Key: k, Value: v, Generation: g, Expires: expires}
	switch k.Kind {
	case states.KindCredential:
		n.Credential, _ = states.DecodeCredential(n.Value)
	case states.KindRegistration:
		if r, err := states.DecodeRegistration(n.Value); err == nil {
			n.Client = &r.Client
		}
	case states.KindLedger:
		l := states.DecodeLedger(n.Value)
		n.Ledger = &l
	default: // the others need nothing here
	}
	return n
}

// Answer carries out one question to the store, as a backend would.
func (s *Store) Answer(at time.Time, q states.Effect) states.Input {
	switch q := q.(type) {
	case states.Load:
		if e := s.Find(at, q.Key); e != nil {
			return states.Loaded{Serial: q.Serial, Value: e.Value, Generation: e.Generation}
		}
		return states.NotFound{Serial: q.Serial}
	case states.Save:
		g, ok := s.Put(at, q.Key, q.Value, q.Expected, q.Expires)
		if !ok {
			return states.Conflicted{Serial: q.Serial}
		}
		return states.Saved{Serial: q.Serial, Generation: g}
	case states.Delete:
		return s.remove(at, q.Key, q.Expected, q.Serial, states.Deleted{Serial: q.Serial})
	case states.Claim:
		return s.remove(at, q.Key, q.Expected, q.Serial, states.Claimed{Serial: q.Serial})
	case states.Lease:
		var kept []Lease
		for _, l := range s.Leases {
			if at.Before(l.Until) {
				kept = append(kept, l)
			}
		}
		for _, l := range kept {
			if l.Key == q.Key {
				return states.Held{Serial: q.Serial}
			}
		}
		s.Fences++
		s.Leases = append(kept, Lease{q.Key, s.Fences, at.Add(q.TTL)})
		return states.Leased{Serial: q.Serial, Fence: s.Fences, TTL: q.TTL}
	default: // the others need nothing here
	}
	return nil
}

// Drop removes an entry, whatever its generation.
func (s *Store) Drop(k states.Key) { s.entries = s.without(k) }

func (s *Store) remove(at time.Time, k states.Key, expected states.Generation, serial uint64, done states.Input) states.Input {
	e := s.Find(at, k)
	switch {
	case e == nil:
		return states.NotFound{Serial: serial}
	case e.Generation != expected:
		return states.Conflicted{Serial: serial}
	}
	s.entries = s.without(k)
	return done
}

// Release ends a lease and reports whether the lease still existed.
func (s *Store) Release(at time.Time, k states.Key, fence uint64) bool {
	var kept []Lease
	was := false
	for _, l := range s.Leases {
		if l.Key == k && l.Fence == fence {
			was = at.Before(l.Until)
			continue
		}
		kept = append(kept, l)
	}
	s.Leases = kept
	return was
}

// Held gives the lease with a fence while it lasts.
func (s *Store) Held(at time.Time, fence uint64) *Lease {
	for i := range s.Leases {
		if s.Leases[i].Fence == fence && at.Before(s.Leases[i].Until) {
			return &s.Leases[i]
		}
	}
	return nil
}
