package guard_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// dns is a resolver whose answers a test may change between two look-ups. It
// speaks DNS over a pipe: no socket, no packet.
type dns struct {
	mu    sync.Mutex
	addrs map[string][]netip.Addr
	seen  int
}

func (d *dns) set(name string, addrs ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.addrs == nil {
		d.addrs = map[string][]netip.Addr{}
	}
	d.addrs[name] = nil
	for _, a := range addrs {
		d.addrs[name] = append(d.addrs[name], netip.MustParseAddr(a))
	}
}

func (d *dns) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go d.serve(far)
		return near, nil
	}}
}

func (d *dns) serve(c net.Conn) {
	defer c.Close()
	for {
		var n [2]byte
		if _, err := io.ReadFull(c, n[:]); err != nil {
			return
		}
		q := make([]byte, binary.BigEndian.Uint16(n[:]))
		if _, err := io.ReadFull(c, q); err != nil {
			return
		}
		a := d.answer(q)
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(a))), a...)); err != nil {
			return
		}
	}
}

// answer replies to one question (RFC 1035 §4.1).
func (d *dns) answer(q []byte) []byte {
	var labels []string
	i := 12
	for q[i] != 0 {
		labels = append(labels, string(q[i+1:i+1+int(q[i])]))
		i += 1 + int(q[i])
	}
	i++
	qtype := binary.BigEndian.Uint16(q[i:])
	question := q[12 : i+4]
	d.mu.Lock()
	d.seen++
	addrs, known := d.addrs[strings.Join(labels, ".")]
	d.mu.Unlock()
	var records []byte
	count := uint16(0)
	for _, a := range addrs {
		if a.Is4() != (qtype == 1) || a.Is6() != (qtype == 28) {
			continue
		}
		count++
		records = append(records, 0xc0, 12)
		records = binary.BigEndian.AppendUint16(records, qtype)
		records = append(records, 0, 1, 0, 0, 0, 0)
		records = binary.BigEndian.AppendUint16(records, uint16(len(a.AsSlice())))
		records = append(records, a.AsSlice()...)
	}
	flags := uint16(0x8180)
	if !known {
		flags |= 3 // no such name
	}
	out := append([]byte{}, q[:2]...)
	out = binary.BigEndian.AppendUint16(out, flags)
	out = append(out, 0, 1)
	out = binary.BigEndian.AppendUint16(out, count)
	out = append(out, 0, 0, 0, 0)
	return append(append(out, question...), records...)
}

// server is a TLS server on loopback that counts what reaches it.
func server(t testing.TB, h http.HandlerFunc) (*httptest.Server, *http.Transport) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = discard
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	tr := s.Client().Transport.(*http.Transport).Clone()
	tr.DialContext = nil // httptest sends example.com to itself; our tests resolve it
	return s, tr
}

func mustNew(t testing.TB, o guard.Options) *guard.Guard {
	t.Helper()
	g, err := guard.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.CloseIdleConnections)
	return g
}

func get(url string) guard.Call {
	return guard.Call{Request: wire.Request{Method: "GET", URL: url}, SameOriginHops: 3, Timeout: 10 * time.Second}
}

func post(url string) guard.Call {
	return guard.Call{
		Request: wire.Request{Method: "POST", URL: url, Form: wire.Fields{{Name: "grant_type", Value: "x"}, {Name: "code", Value: "c0de-s3cret", Secret: true}}},
		Timeout: 10 * time.Second,
	}
}

// wantFailure checks class, rule and Sent, and that nothing secret is in the text.
func wantFailure(t *testing.T, f *guard.Error, class string, rule rules.ID, sent bool) {
	t.Helper()
	if f == nil {
		t.Fatalf("no failure; want %s (%s)", class, rule)
	}
	if f.Class != class || f.Rule != rule || f.Sent != sent {
		t.Fatalf("got %s rule=%q sent=%t (%v); want %s rule=%q sent=%t", f.Class, f.Rule, f.Sent, errors.Unwrap(f), class, rule, sent)
	}
	if f.Detail == "" || strings.Contains(f.Error(), "s3cret") {
		t.Fatalf("bad detail: %q", f.Error())
	}
}

func dialerFor(d *dns) *net.Dialer { return &net.Dialer{Resolver: d.resolver()} }

func itoa(n int) string { return strconv.Itoa(n) }
