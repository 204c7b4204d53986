package httpdriver

import (
	"hash/maphash"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"weak"

	"github.com/maypok86/otter/v2"
)

// sessions finds the session of an account. It keeps sessions that are likely to be used
// again, up to a bound in bytes; a scan over many accounts does not push out sessions that
// are used often. Other sessions live as long as a client, a request or a run refers to
// them. They are then released, because their tokens are in the store.
type sessions struct {
	kept *otter.Cache[Account, *session]

	// all holds every session that exists. Requests that find nothing in kept meet at one
	// lock of many: with one for all they would mostly wait for it.
	all  [64]table
	seed maphash.Seed

	// work guards that nothing begins once closed is set.
	work   sync.RWMutex
	closed atomic.Bool
}

// table is the part of the sessions whose accounts have the same hash.
type table struct {
	mu sync.Mutex
	of map[Account]weak.Pointer[session]
}

func (s *sessions) table(a Account) *table {
	return &s.all[maphash.Comparable(s.seed, a)%uint64(len(s.all))]
}

// The memory of a session besides the names of its account, with a token whose text and
// scopes have that many bytes. The token is counted before the session has one: few
// tokens are longer, and only those are weighed again.
const (
	sessionBytes = 900
	tokenBytes   = 200
)

// runBytes is the memory of a run that has ended.
const runBytes = 6 << 10

func (s *sessions) init(most int64) {
	s.seed = maphash.MakeSeed()
	s.kept = otter.Must(&otter.Options[Account, *session]{
		MaximumWeight: uint64(most),
		Weigher:       func(a Account, x *session) uint32 { return x.bytes() },
		Executor:      func(f func()) { f() },
	})
}

// bytes is about the memory of a session.
func (s *session) bytes() uint32 {
	n := sessionBytes + len(s.account.Server) + len(s.account.Tenant) + len(s.account.Subject) + len(s.account.Name)
	return uint32(n + s.held.Load().excess())
}

// excess is how many bytes a token takes beyond what is counted for every session.
func (t *token) excess() int {
	if t == nil {
		return 0
	}
	n := len(t.header[0])
	for _, x := range t.scopes {
		n += 16 + len(x)
	}
	n = max(0, n-tokenBytes)
	if t.login.Load() != nil {
		n += runBytes
	}
	return n
}

// told is one in how many requests the policy of the cache is told of. It moves the account
// in its lists, which with very many accounts are in no cache of the processor; a sample
// tells it as well which accounts are used often.
const told = 8

func (s *sessions) get(a Account, create func() (*session, error)) (*session, error) {
	if rand.Uint32N(told) > 0 {
		if e, ok := s.kept.GetEntryQuietly(a); ok {
			return e.Value, nil
		}
	} else if found, ok := s.kept.GetIfPresent(a); ok {
		return found, nil
	}
	found, err := s.find(a, create)
	if err == nil {
		s.kept.Set(a, found)
	}
	return found, err
}

// find gives the existing session of an account, or a new one.
func (s *sessions) find(a Account, create func() (*session, error)) (*session, error) {
	t := s.table(a)
	t.mu.Lock()
	found := t.of[a].Value()
	t.mu.Unlock()
	if s.closed.Load() {
		return nil, ErrClosed
	}
	if found != nil {
		return found, nil
	}
	made, err := create() // not under the lock: it allocates
	if err != nil {
		return nil, err
	}
	p := weak.Make(made)
	if found, err := t.add(a, p, &s.closed); found != nil || err != nil {
		return found, err
	}
	runtime.AddCleanup(made, s.forget, gone{a, p})
	return made, nil
}

// add adds a session, unless there is one now: add gives that.
func (t *table) add(a Account, p weak.Pointer[session], closed *atomic.Bool) (*session, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if closed.Load() { // under the lock: close reads the table after it has set closed
		return nil, ErrClosed
	}
	found := t.of[a].Value()
	if found != nil {
		return found, nil
	}
	if t.of == nil {
		t.of = make(map[Account]weak.Pointer[session])
	}
	t.of[a] = p
	return nil, nil
}

// weigh says that the weight of a session has changed.
func (s *sessions) weigh(x *session) {
	s.kept.ComputeIfPresent(x.account, func(*session) (*session, otter.ComputeOp) { return x, otter.WriteOp })
}

type gone struct {
	account Account
	was     weak.Pointer[session]
}

func (s *sessions) forget(g gone) {
	t := s.table(g.account)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of[g.account] == g.was {
		delete(t.of, g.account)
	}
}

// enter counts work that begins, unless close was called, because nothing waits for work
// that begins after that.
func (s *sessions) enter(work *sync.WaitGroup) bool {
	s.work.RLock()
	defer s.work.RUnlock()
	if s.closed.Load() {
		return false
	}
	work.Add(1)
	return true
}

// close prevents new work, and returns the existing sessions.
func (s *sessions) close() []*session {
	s.work.Lock()
	s.closed.Store(true)
	s.work.Unlock()
	s.kept.InvalidateAll()
	return s.existing()
}

// empty removes the tokens from sessions that are still referred to.
func (s *sessions) empty() {
	for _, x := range s.existing() {
		x.held.Store(nil)
		x.read.Store(false)
	}
}

// existing are the sessions that something refers to.
func (s *sessions) existing() []*session {
	var all []*session
	for i := range s.all {
		t := &s.all[i]
		t.mu.Lock()
		for _, p := range t.of {
			if x := p.Value(); x != nil {
				all = append(all, x)
			}
		}
		t.mu.Unlock()
	}
	return all
}
