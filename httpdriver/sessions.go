package httpdriver

import (
	"container/list"
	"runtime"
	"sync"
	"weak"
)

// sessions finds the session of an account. Those used last are kept; an older
// one lives as long as somebody (a client, a request) still refers to it, and
// is then let go: its token is in the store.
type sessions struct {
	mu     sync.Mutex
	most   int
	all    map[Account]weak.Pointer[session]
	recent *list.List // of *session, the last used first
	closed bool
}

func (s *sessions) init(most int) {
	s.most, s.all, s.recent = most, make(map[Account]weak.Pointer[session]), list.New()
}

func (s *sessions) get(a Account, create func() (*session, error)) (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if found := s.all[a].Value(); found != nil {
		s.touch(found)
		return found, nil
	}
	made, err := create()
	if err != nil {
		return nil, err
	}
	p := weak.Make(made)
	s.all[a] = p
	runtime.AddCleanup(made, s.forget, gone{a, p})
	s.touch(made)
	return made, nil
}

// touch keeps a session among those used last. A session with a run under way
// is referred to by the run.
func (s *sessions) touch(x *session) {
	if x.place != nil {
		s.recent.MoveToFront(x.place)
		return
	}
	x.place = s.recent.PushFront(x)
	if s.recent.Len() > s.most {
		last := s.recent.Back()
		last.Value.(*session).place = nil
		s.recent.Remove(last)
	}
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

// enter counts work that begins, unless close was called: what begins after
// that would not be waited for.
func (s *sessions) enter(work *sync.WaitGroup) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	work.Add(1)
	return true
}

// close lets no more work begin, and gives the sessions that there are.
func (s *sessions) close() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.recent.Init()
	var all []*session
	for _, p := range s.all {
		if x := p.Value(); x != nil {
			all = append(all, x)
		}
	}
	return all
}

// empty takes the tokens out of sessions that somebody still refers to.
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
