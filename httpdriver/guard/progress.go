package guard

import (
	"crypto/tls"
	"net/http/httptrace"
	"sync"
	"time"
)

// progress follows a request through the transport, to know what has left.
type progress struct {
	mu        sync.Mutex
	sent      bool
	tlsFailed bool
	// sticky: the method may be repeated by the transport after it was sent.
	sticky bool

	// limit ends the exchange. It is set anew when the first connection is there,
	// for timeout, and never beyond until.
	limit   *time.Timer
	timeout time.Duration
	until   time.Time
	dials   bool // a connection is being made for it: it waits for no other request
	begun   bool
}

// left cuts a time where the exchange is over in any case.
func (p *progress) left(d time.Duration) time.Duration {
	if p.until.IsZero() {
		return d
	}
	return min(d, max(0, time.Until(p.until)))
}

func (p *progress) state() (sent, tlsFailed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent, p.tlsFailed
}

func (p *progress) dialling() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.dials && !p.begun {
		p.dials = true
		p.limit.Reset(p.left(p.timeout))
	}
}

// answered marks the request as sent, even when its answer is here before the
// transport has said that it was sent.
func (p *progress) answered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = true
}

func (p *progress) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSStart:     func(httptrace.DNSStartInfo) { p.dialling() },
		ConnectStart: func(string, string) { p.dialling() },
		// The transport takes a second connection for a POST only when it knows
		// that the first attempt was not processed, so the mark starts anew.
		GotConn: func(httptrace.GotConnInfo) {
			p.mu.Lock()
			p.sent = p.sent && p.sticky
			if !p.begun {
				p.begun = true
				p.limit.Reset(p.left(p.timeout))
			}
			p.mu.Unlock()
		},
		// No server can act on the request before the end of the head was written.
		WroteHeaders: func() {
			p.mu.Lock()
			p.sent = true
			p.mu.Unlock()
		},
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			p.mu.Lock()
			p.tlsFailed = err != nil
			p.mu.Unlock()
		},
	}
}
