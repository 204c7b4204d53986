package trace

import (
	"slices"

	"github.com/stile-oauth/stile/states"
)

// keep is a store in memory.
func (l *life) keep(q states.Effect) states.Input {
	find := func(k states.Key) int {
		return slices.IndexFunc(l.entries, func(e stored) bool { return e.key == k })
	}
	remove := func(k states.Key, g states.Generation, serial uint64, done states.Input) states.Input {
		i := find(k)
		switch {
		case i < 0:
			return states.NotFound{Serial: serial}
		case l.entries[i].generation != g:
			return states.Conflicted{Serial: serial}
		}
		l.entries = slices.Delete(l.entries, i, i+1)
		return done
	}
	switch q := q.(type) {
	case states.Load:
		if i := find(q.Key); i >= 0 {
			return states.Loaded{Serial: q.Serial, Value: l.entries[i].value, Generation: l.entries[i].generation}
		}
		return states.NotFound{Serial: q.Serial}
	case states.Save:
		if q.NotBefore.After(l.at) {
			l.at = q.NotBefore
		}
		i := find(q.Key)
		if i < 0 && q.Expected != 0 || i >= 0 && l.entries[i].generation != q.Expected {
			return states.Conflicted{Serial: q.Serial}
		}
		if i < 0 {
			l.entries = append(l.entries, stored{key: q.Key})
			i = len(l.entries) - 1
		}
		l.last++
		l.entries[i].value, l.entries[i].generation = q.Value, l.last
		return states.Saved{Serial: q.Serial, Generation: l.last}
	case states.Delete:
		return remove(q.Key, q.Expected, q.Serial, states.Deleted{Serial: q.Serial})
	case states.Claim:
		return remove(q.Key, q.Expected, q.Serial, states.Claimed{Serial: q.Serial})
	case states.Lease:
		l.fence++
		return states.Leased{Serial: q.Serial, Fence: l.fence, TTL: q.TTL}
	}
	return nil
}
