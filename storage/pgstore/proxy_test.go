package pgstore_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// A message of PostgreSQL's protocol. The first of a connection has no kind.
type message struct {
	kind byte
	body []byte
}

func read(r io.Reader, kind bool) (m message, err error) {
	head := make([]byte, 5)
	if !kind {
		head = head[:4]
	}
	if _, err := io.ReadFull(r, head); err != nil {
		return m, err
	}
	if kind {
		m.kind, head = head[0], head[1:]
	}
	m.body = make([]byte, binary.BigEndian.Uint32(head)-4)
	_, err = io.ReadFull(r, m.body)
	return m, err
}

func (m message) send(w io.Writer) error {
	var b []byte
	if m.kind != 0 {
		b = append(b, m.kind)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(m.body)+4))
	_, err := w.Write(append(b, m.body...))
	return err
}

// fatal is the server's refusal with an error code.
func fatal(code string) message {
	return message{'E', []byte("SFATAL\x00VFATAL\x00C" + code + "\x00Mrefused by the proxy\x00\x00")}
}

// cancelRequest is what a connection begins with that only cancels another's statement.
const cancelRequest = 80877102

// cut is a code that ends the connection without a word.
const cut = "cut"

// proxy stands between a store and the server. Its hooks may be replaced while nothing
// is under way.
type proxy struct {
	address string

	mu     sync.Mutex
	dials  int                        // without those that only cancel
	open   int                        // the connections of the store
	refuse func() (code string)       // of the next connection
	asked  func(*message) (pass bool) // by the store; false ends the connection
	said   func(*message) (pass bool) // by the server; false ends the connection
}

func through(t *testing.T, address string) *proxy {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := u.Host
	u.Host = l.Addr().String()
	p := &proxy{address: u.String()}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.set(func() { p.open++ })
			go p.serve(c, server)
		}
	}()
	return p
}

func (p *proxy) serve(store net.Conn, server string) {
	defer p.set(func() { p.open-- })
	defer store.Close()
	first, err := read(store, false)
	if err != nil {
		return
	}
	p.mu.Lock()
	refuse := p.refuse
	if binary.BigEndian.Uint32(first.body) == cancelRequest {
		refuse = nil
	} else {
		p.dials++
	}
	p.mu.Unlock()
	if refuse != nil {
		switch code := refuse(); code {
		case "":
		case cut:
			return
		default:
			_ = fatal(code).send(store)
			return
		}
	}
	db, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer db.Close()
	if first.send(db) != nil {
		return
	}
	go func() {
		defer store.Close()
		defer db.Close()
		pump(db, store, func(m *message) bool { return p.hook(&p.said, m) })
	}()
	pump(store, db, func(m *message) bool { return p.hook(&p.asked, m) })
}

func (p *proxy) hook(which *func(*message) bool, m *message) bool {
	p.mu.Lock()
	f := *which
	p.mu.Unlock()
	return f == nil || f(m)
}

func pump(from io.Reader, to io.Writer, pass func(*message) bool) {
	for {
		m, err := read(from, true)
		if err != nil || !pass(&m) || m.send(to) != nil {
			return
		}
	}
}

// set changes a member.
func (p *proxy) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// dialled is how often the store has connected.
func (p *proxy) dialled() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dials
}

// ended waits until the store has no connection any more.
func (p *proxy) ended(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		var open int
		if p.set(func() { open = p.open }); open == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("a connection is still open")
		}
	}
}
