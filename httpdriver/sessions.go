package httpdriver

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"weak"

	"github.com/maypok86/otter/v2"
)

// sessions finds the session of an account. It keeps sessions that are likely to be used
// again, up to a bound in bytes; a scan over many accounts does not push out sessions that
// are used often. Other sessions live as long as a client, a request or a run refers to
// them. They are then released, because their tokens are in the store.
type sessions struct {
	kept *otter.Cache[Account, *session]

	mu     sync.Mutex
	all    map[Account]weak.Pointer[session]
	closed bool
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
	s.all = make(map[Account]weak.Pointer[session])
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if found := s.all[a].Value(); found != nil {
		return found, nil
	}
	made, err := create()
	if err != nil {
		return nil, err
	}
	p := weak.Make(made)
	s.all[a] = p
	runtime.AddCleanup(made, s.forget, gone{a, p})
	return made, nil
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[g.account] == g.was {
		delete(s.all, g.account)
	}
}

// enter counts work that begins, unless close was called, because nothing waits for work
// that begins after that.
func (s *sessions) enter(work *sync.WaitGroup) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	work.Add(1)
	return true
}

// close prevents new work, and returns the existing sessions.
func (s *sessions) close() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.kept.InvalidateAll()
	var all []*session
	for _, p := range s.all {
		if x := p.Value(); x != nil {
			all = append(all, x)
		}
	}
	return all
}

// empty removes the tokens from sessions that are still referred to.
func (s *sessions) empty() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.all {
		if x := p.Value(); x != nil {
			x.held.Store(nil)
			x.read.Store(false)
		}
	}
}
