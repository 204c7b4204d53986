package guard_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/wire"
)

// broken is a connection that takes nothing any more once it is cut.
type broken struct {
	net.Conn
	cut *atomic.Bool
}

func (b *broken) Write(p []byte) (int, error) {
	if b.cut.Load() {
		return 0, errors.New("the cable is cut")
	}
	return b.Conn.Write(p)
}

// cutAt is a transport whose nth connection breaks as soon as a request has it.
func cutAt(ctx context.Context, n int64, base *http.Transport) (context.Context, *http.Transport) {
	var cut atomic.Bool
	var got atomic.Int64
	tr := base.Clone()
	tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &broken{c, &cut}, nil
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		if got.Add(1) == n {
			cut.Store(true)
		}
	}}), tr
}

// longer makes the head longer than what a connection keeps back before it writes.
func longer(c guard.Call) guard.Call {
	c.Request.Header = wire.Fields{{Name: "X-Long", Value: strings.Repeat("x", 16<<10)}}
	return c
}

// TestConnectedAndNotSent: a request that got a connection, and of which not the whole
// head could be written, was not sent.
func TestConnectedAndNotSent(t *testing.T) {
	s, base := server(t, func(http.ResponseWriter, *http.Request) {})
	base.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{} // HTTP/1.1
	for _, c := range []guard.Call{get(s.URL), post(s.URL)} {
		ctx, tr := cutAt(context.Background(), 1, base)
		g := mustNew(t, guard.Options{Transport: tr, AllowLoopbackHTTP: true})
		if _, f := g.Do(ctx, longer(c)); f == nil || f.Sent || f.Class != guard.ClassUnsent {
			t.Errorf("%s: %+v", c.Request.Method, f)
		}
	}
}

// TestRepeatedPost: a POST that a server gave back, with the word that it did nothing with
// it, and that then could not be sent over another connection, counts as not sent.
func TestRepeatedPost(t *testing.T) {
	s, base := server(t, func(http.ResponseWriter, *http.Request) {})
	config := s.TLS.Clone()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- giveBack(ln, config) }()
	ctx, tr := cutAt(context.Background(), 2, base)
	g := mustNew(t, guard.Options{Transport: tr, AllowLoopbackHTTP: true})
	_, f := g.Do(ctx, longer(post("https://"+ln.Addr().String()+"/")))
	_ = ln.Close()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	if f == nil || f.Sent {
		t.Errorf("%+v", f)
	}
}

// giveBack takes the first connection as HTTP/2, and answers its first request with the
// word that no stream was processed (RFC 9113 §6.8); the second one as HTTP/1.1.
func giveBack(ln net.Listener, config *tls.Config) error {
	defer func() { _ = ln.Close() }()
	accept := func(protocol string) (*tls.Conn, error) {
		c, err := ln.Accept()
		if err != nil {
			return nil, err
		}
		own := config.Clone()
		own.NextProtos = []string{protocol}
		out := tls.Server(c, own)
		return out, out.Handshake()
	}
	first, err := accept("h2")
	if err != nil {
		return err
	}
	defer func() { _ = first.Close() }()
	if _, err := first.Write([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0}); err != nil { // SETTINGS
		return err
	}
	if _, err := io.CopyN(io.Discard, first, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err != nil {
		return err
	}
	for {
		var head [9]byte
		if _, err := io.ReadFull(first, head[:]); err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, first, int64(head[0])<<16|int64(head[1])<<8|int64(head[2])); err != nil {
			return err
		}
		if head[3] == 1 { // HEADERS
			break
		}
	}
	if _, err := first.Write([]byte{0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}); err != nil { // GOAWAY
		return err
	}
	second, err := accept("http/1.1")
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, second)
	return second.Close()
}
