package main

import (
	"context"
	"io"
	"sync"
)

// streams prepares the streams of a command: reading standard input ends when ctx
// does, and the first failure to write to standard output is remembered. It returns
// a function that returns that failure.
func (a *app) streams(ctx context.Context) (writeFailed func() error) {
	a.tty.in, a.tty.out, a.tty.err = a.terminal(a.in), a.terminal(a.out), a.terminal(a.err)
	a.in = &interruptible{ctx: ctx, from: a.in}
	out := &checked{to: a.out}
	a.out = out
	return out.failure
}

// interruptible is a reader whose Read ends with the error of a context. A
// read from a terminal or a pipe that was under way then continues in a goroutine,
// because it cannot be cancelled; what it reads is lost.
type interruptible struct {
	ctx  context.Context
	from io.Reader

	begin sync.Once
	parts chan part
	rest  part
}

type part struct {
	bytes []byte
	err   error
}

func (r *interruptible) Read(p []byte) (int, error) {
	r.begin.Do(func() {
		r.parts = make(chan part)
		go r.read()
	})
	if len(r.rest.bytes) == 0 && r.rest.err == nil {
		select {
		case r.rest = <-r.parts:
		case <-r.ctx.Done():
			return 0, r.ctx.Err()
		}
	}
	n := copy(p, r.rest.bytes)
	if r.rest.bytes = r.rest.bytes[n:]; len(r.rest.bytes) > 0 {
		return n, nil
	}
	return n, r.rest.err
}

func (r *interruptible) read() {
	for {
		b := make([]byte, 32<<10)
		n, err := r.from.Read(b)
		select {
		case r.parts <- part{b[:n], err}:
		case <-r.ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// checked is a writer that remembers its first failure. Commands ignore errors when
// they print; the end of the command checks for them.
type checked struct {
	to io.Writer

	mu  sync.Mutex
	err error
}

func (w *checked) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	if err != nil {
		w.mu.Lock()
		if w.err == nil {
			w.err = err
		}
		w.mu.Unlock()
	}
	return n, err
}

func (w *checked) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}
