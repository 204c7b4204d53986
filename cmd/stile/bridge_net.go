package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
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
