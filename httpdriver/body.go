package httpdriver

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// replay is the body of a request that has no GetBody. It is sent as it is read. Up to
// a bound, what was read is kept, so that the request can be sent again.
type replay struct {
	most int64

	mu      sync.Mutex
	turn    sync.Cond // reading ended, or an attempt
	src     io.ReadCloser
	reading bool // of the source, by one attempt at a time, without mu
	kept    []byte
	over    bool  // more than most was read: it cannot be sent again
	end     error // what the source ended with
	last    *attempt
	final   bool // there will be no other attempt
	closed  bool // the source is
}

// attempt is the body for sending the request once.
type attempt struct {
	r    *replay
	at   int // how much of what is kept it has read
	done bool
}

var errDetached = errors.New("httpdriver: this body belongs to an earlier sending of the request")

// replayed gives a copy of a request whose body can be sent again, and its body. The
// body is nil if there is none, or if the request has GetBody.
func replayed(req *http.Request, most int64) (*http.Request, *replay) {
	if req.Body == nil || req.Body == http.NoBody || req.GetBody != nil {
		return req, nil
	}
	b := &replay{src: req.Body, most: most}
	b.turn.L = &b.mu
	r := new(http.Request)
	*r = *req
	r.Body = b.attempt()
	r.GetBody = func() (io.ReadCloser, error) {
		if a := b.attempt(); a != nil {
			return a, nil
		}
		return nil, ErrNotReplayable
	}
	return r, b
}

// attempt begins another attempt; nil if too much was read for that.
func (b *replay) attempt() *attempt {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return nil
	}
	if b.last != nil {
		b.last.done = true
		b.turn.Broadcast()
	}
	b.last = &attempt{r: b}
	return b.last
}

// Read gives what was kept, and then what the source still has. If an earlier attempt
// is still reading the source, Read waits for it, because what it reads is kept.
func (a *attempt) Read(p []byte) (int, error) {
	b := a.r
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		switch {
		case a.done:
			return 0, errDetached
		case a.at < len(b.kept):
			n := copy(p, b.kept[a.at:])
			a.at += n
			return n, nil
		case b.end != nil:
			return 0, b.end
		case !b.reading:
			return a.pull(p)
		}
		b.turn.Wait()
	}
}

// pull reads the source, and keeps what it reads as long as that may be needed.
func (a *attempt) pull(p []byte) (int, error) {
	b := a.r
	b.reading = true
	b.mu.Unlock()
	n, err := b.src.Read(p)
	b.mu.Lock()
	b.reading = false
	b.turn.Broadcast()
	b.end = err
	if b.over = b.over || b.final || int64(len(b.kept)+n) > b.most; b.over {
		b.kept = nil
		return n, err
	}
	b.kept = append(b.kept, p[:n]...)
	a.at += n
	return n, err
}

// Close ends the attempt, and closes the source if there is no other attempt.
func (a *attempt) Close() error {
	b := a.r
	b.mu.Lock()
	defer b.mu.Unlock()
	a.done = true
	b.turn.Broadcast()
	return b.closeIfOver()
}

// settled says that no other attempt follows.
func (b *replay) settled() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.final = true
	_ = b.closeIfOver()
}

func (b *replay) closeIfOver() error {
	if !b.final || !b.last.done || b.closed {
		return nil
	}
	b.closed = true
	return b.src.Close()
}
