package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// peer is one side of the bridge: JSON-RPC over a connection of the SDK. It gives
// its own ids to what it sends, so that ids of the two sides never clash.
type peer struct {
	conn mcp.Connection
	name string // begins the ids of this peer's requests

	// request answers a request of the other end, in a goroutine of its own.
	request func(ctx context.Context, id jsonrpc.ID, method string, params json.RawMessage) (json.RawMessage, error)
	// notified hears of a notification; the next message is read when it returns.
	notified func(ctx context.Context, method string, params json.RawMessage)

	mu      sync.Mutex
	last    int
	waiting map[jsonrpc.ID]chan *jsonrpc.Response
	serving map[jsonrpc.ID]context.CancelFunc
	done    chan struct{} // closed when the connection has ended
	err     error         // why it has
	ended   bool          // nothing new is begun

	work sync.WaitGroup
}

func newPeer(conn mcp.Connection, name string) *peer {
	return &peer{
		conn: conn, name: name, waiting: map[jsonrpc.ID]chan *jsonrpc.Response{},
		serving: map[jsonrpc.ID]context.CancelFunc{}, done: make(chan struct{}),
	}
}

// run reads until the connection ends, and gives the reason. What it has begun has
// ended when it returns.
func (p *peer) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		p.mu.Lock()
		p.ended = true
		p.mu.Unlock()
		p.work.Wait()
	}()
	for {
		m, err := p.conn.Read(ctx)
		if err != nil {
			p.mu.Lock()
			p.err = err
			p.mu.Unlock()
			close(p.done)
			if errors.Is(err, io.EOF) {
				p.finish()
			}
			return err
		}
		p.take(ctx, m)
	}
}

// take handles one message.
func (p *peer) take(ctx context.Context, m jsonrpc.Message) {
	switch m := m.(type) {
	case *jsonrpc.Response:
		p.answered(m)
	case *jsonrpc.Request:
		if m.IsCall() {
			p.serve(ctx, m)
		} else {
			p.heard(ctx, m)
		}
	}
}

// finish gives answers under way a moment, after the other end has sent its last
// message: the other end may still read.
func (p *peer) finish() {
	done := make(chan struct{})
	go func() { p.work.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(partingTime):
	}
}

// answered hands a response to the call that waits for it. One that nobody waits
// for is dropped: its call was cancelled.
func (p *peer) answered(r *jsonrpc.Response) {
	p.mu.Lock()
	ch := p.waiting[r.ID]
	delete(p.waiting, r.ID)
	p.mu.Unlock()
	if ch != nil {
		ch <- r
	}
}

// serve answers a request, unless it is cancelled before.
func (p *peer) serve(ctx context.Context, r *jsonrpc.Request) {
	ctx, cancel := context.WithCancel(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		cancel()
		return
	}
	p.serving[r.ID] = cancel
	p.work.Go(func() {
		defer cancel()
		result, err := p.request(ctx, r.ID, r.Method, r.Params)
		p.mu.Lock()
		delete(p.serving, r.ID)
		p.mu.Unlock()
		if ctx.Err() != nil {
			return // the other end does not wait for an answer
		}
		out := &jsonrpc.Response{ID: r.ID, Result: result}
		if err != nil {
			out.Result, out.Error = nil, wireError(err)
		}
		_ = p.conn.Write(ctx, out) // a broken connection ends run
	})
}

// heard takes a notification. A cancellation ends the request that it is about.
func (p *peer) heard(ctx context.Context, r *jsonrpc.Request) {
	if r.Method != cancelled {
		p.notified(ctx, r.Method, r.Params)
		return
	}
	var about struct {
		ID any `json:"requestId"`
	}
	if json.Unmarshal(r.Params, &about) != nil {
		return
	}
	id, err := jsonrpc.MakeID(about.ID)
	if err != nil {
		return
	}
	p.mu.Lock()
	cancel := p.serving[id]
	p.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// begin names a call and registers it.
func (p *peer) begin() (jsonrpc.ID, chan *jsonrpc.Response) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	id, _ := jsonrpc.MakeID(p.name + strconv.Itoa(p.last))
	ch := make(chan *jsonrpc.Response, 1)
	p.waiting[id] = ch
	return id, ch
}

// call sends a request and waits for its answer. begun, if not nil, is told its id.
// When ctx ends, the other end is told that no caller is waiting.
func (p *peer) call(ctx context.Context, method string, params json.RawMessage, begun func(jsonrpc.ID)) (json.RawMessage, error) {
	id, ch := p.begin()
	defer func() {
		p.mu.Lock()
		delete(p.waiting, id)
		p.mu.Unlock()
	}()
	if begun != nil {
		begun(id)
	}
	if err := p.conn.Write(ctx, &jsonrpc.Request{ID: id, Method: method, Params: params}); err != nil {
		if ctx.Err() != nil { // the other end may have it
			p.withdraw(ctx, id)
		}
		return nil, err
	}
	select {
	case r := <-ch:
		return r.Result, r.Error
	case <-p.done:
		p.mu.Lock()
		defer p.mu.Unlock()
		return nil, &lost{p.err}
	case <-ctx.Done():
		p.withdraw(ctx, id)
		return nil, ctx.Err()
	}
}

// withdraw tells the other end that no caller is waiting for the answer.
func (p *peer) withdraw(ctx context.Context, id jsonrpc.ID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), partingTime)
	defer cancel()
	_ = p.notify(ctx, cancelled, marshal(map[string]any{"requestId": id.Raw(), "reason": "the caller is no longer waiting"}))
}

// notify sends a notification.
func (p *peer) notify(ctx context.Context, method string, params json.RawMessage) error {
	return p.conn.Write(ctx, &jsonrpc.Request{Method: method, Params: params})
}

// lost says that a connection ended while an answer was due.
type lost struct{ first error }

func (e *lost) Error() string {
	return fmt.Sprintf("the connection ended before the answer came: %v", e.first)
}
func (e *lost) Unwrap() error { return e.first }

// ours is an error of the bridge itself, and why it answers so.
type ours struct {
	why error
	e   *jsonrpc.Error
}

func (o *ours) Error() string { return o.e.Message }

// wireError gives the error that a response carries: the other side's own where
// there is one.
func wireError(err error) *jsonrpc.Error {
	if said := saidBy(err); said != nil {
		return said
	}
	var own *ours
	if errors.As(err, &own) {
		e := *own.e
		return &e
	}
	return &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: strings.ReplaceAll(err.Error(), rejected+": ", "")}
}

// rejected is what the SDK's transports put before the error of a message that was
// not sent. Such an error has the type of a peer's answer, but no peer has sent it.
const rejected = "rejected by transport"

// saidBy finds the error that the other side answered with; nil when it is another.
func saidBy(err error) *jsonrpc.Error {
	if e, ok := err.(*jsonrpc.Error); ok { // each error of the tree is looked at
		if e.Message == rejected {
			return nil
		}
		return e
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return saidBy(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			if said := saidBy(one); said != nil {
				return said
			}
		}
	}
	return nil
}

// marshal is json.Marshal for values that can always be marshalled.
func marshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic("bridge: " + err.Error())
	}
	return b
}
