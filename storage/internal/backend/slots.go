package backend

import (
	"context"
	"slices"
	"sync"
)

// Slots bounds how many calls run at once. Calls wait in the order in which they
// came, urgent ones before all others.
type Slots struct {
	mu             sync.Mutex
	free           int
	urgent, normal []chan struct{}
}

// NewSlots returns n free slots.
func NewSlots(n int) *Slots { return &Slots{free: max(n, 1)} }

// Take waits for a slot, which done gives back.
func (s *Slots) Take(ctx context.Context, urgent bool) (done func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	if s.free > 0 {
		s.free--
		s.mu.Unlock()
		return sync.OnceFunc(s.give), nil
	}
	turn, queue := make(chan struct{}), &s.normal
	if urgent {
		queue = &s.urgent
	}
	*queue = append(*queue, turn)
	s.mu.Unlock()
	select {
	case <-turn:
		return sync.OnceFunc(s.give), nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	i := slices.Index(*queue, turn)
	if i >= 0 {
		*queue = slices.Delete(*queue, i, i+1)
	}
	s.mu.Unlock()
	if i < 0 { // it was our turn in the same moment
		s.give()
	}
	return nil, ctx.Err()
}

// give passes the slot on, or frees it.
func (s *Slots) give() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, queue := range []*[]chan struct{}{&s.urgent, &s.normal} {
		if len(*queue) > 0 {
			close((*queue)[0])
			*queue = (*queue)[1:]
			return
		}
	}
	s.free++
}
