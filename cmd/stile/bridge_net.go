package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/wire"
)

// dialing connects within a time limit, and only by IPv4 if ipv4 is set.
func dialing(ipv4 bool, within time.Duration) func(context.Context, string, string) (net.Conn, error) {
	d := net.Dialer{Timeout: within, KeepAlive: 15 * time.Second}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if ipv4 && network == "tcp" {
			network = "tcp4"
		}
		return d.DialContext(ctx, network, address)
	}
}

// attended is the body of an answer with a limit for its pauses.
type attended struct {
	io.ReadCloser
	pause time.Duration
	timer *time.Timer
	once  sync.Once
}

// attend limits the pauses of an answer; 0 is no limit.
func attend(resp *http.Response, pause time.Duration) *http.Response {
	if pause <= 0 {
		return resp
	}
	b := &attended{ReadCloser: resp.Body, pause: pause}
	b.timer = time.AfterFunc(pause, func() { _ = b.Close() })
	resp.Body = b
	return resp
}

func (b *attended) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.timer.Reset(b.pause)
	return n, err
}

func (b *attended) Close() (err error) {
	b.once.Do(func() {
		b.timer.Stop()
		err = b.ReadCloser.Close()
	})
	return err
}

// ownAuthorization carries requests whose Authorization the user gives with --header. If
// the server refuses it and names no metadata, no login follows: the server takes what it
// has given out by other means.
type ownAuthorization struct {
	next http.RoundTripper
	sent string
}

func (o ownAuthorization) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := o.next.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || r.Header.Get("Authorization") != o.sent {
		return resp, err
	}
	var fields wire.Fields
	for _, v := range resp.Header.Values("WWW-Authenticate") {
		fields = append(fields, wire.Field{Name: "WWW-Authenticate", Value: v})
	}
	challenges, _ := wire.ParseChallenges(fields)
	for _, c := range challenges {
		if _, named := c.Get("resource_metadata"); named {
			return resp, nil
		}
	}
	_ = resp.Body.Close()
	return nil, &failure{
		code: exitUsage, see: "bridge-header", err: errors.New("the server refuses the Authorization that --header gives"),
		advice: "give a value that is valid, or leave the header out to log in",
	}
}

// authorization is the Authorization that the user gives with --header; "" if there is none.
func (f *bridgeFlags) authorization() string {
	value := ""
	for _, h := range f.sent {
		if strings.EqualFold(h[0], "Authorization") {
			value = h[1]
		}
	}
	return value
}

// base carries the requests of the driver; nil is the driver's own transport.
func (g *gate) base(c *client) (http.RoundTripper, error) {
	sent := g.f.authorization()
	if sent == "" {
		return nil, nil
	}
	t, err := g.f.transport()
	if err != nil {
		return nil, err
	}
	own, err := guard.New(guard.Options{Transport: t, AllowPrivate: g.f.allowPrivate, AllowPrivateName: "--allow-private"})
	if err != nil {
		return nil, err
	}
	c.closing = append(c.closing, func() error { own.CloseIdleConnections(); return nil })
	return ownAuthorization{own.Transport(), sent}, nil
}
