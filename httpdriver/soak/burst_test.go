//go:build soak && unix

package soak_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestBurstLong: many accounts expire at once, and the store is 20 ms away and has its
// default number of connections. A caller that waits for a connection gets no error.
func TestBurstLong(t *testing.T) {
	for kind, accounts := range map[string]int{"postgres": 3_000, "redis": 10_000} {
		t.Run(kind, func(t *testing.T) {
			c := newCrowd(t, 1)
			w := place(t, kind)
			c.settle(t, w.must(t), accounts)
			w.Target = away(t, w.Target, 20*time.Millisecond)
			d := c.driver(t, w.must(t))
			began := time.Now()
			var wg sync.WaitGroup
			var failed atomic.Int64
			for i := range accounts {
				wg.Go(func() {
					a, _, _ := c.account(i)
					if _, err := d.Token(t.Context(), a); err != nil && failed.Add(1) == 1 {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			c.mu.Lock()
			defer c.mu.Unlock()
			t.Logf("%s: %d accounts in %v: %d refreshes, %d sent twice, %d errors",
				t.Name(), accounts, time.Since(began).Round(time.Millisecond), c.refreshes, c.reuse, failed.Load())
			if c.refreshes != accounts || c.reuse > 0 || failed.Load() > 0 {
				t.Error("not one refresh for each account")
			}
		})
	}
}

// away moves a server further away: what is sent to it arrives later by delay.
func away(t *testing.T, target string, delay time.Duration) string {
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	host := u.Host
	go func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", host)
			if err != nil {
				_ = near.Close()
				continue
			}
			go func() { _, _ = io.Copy(near, far); _ = near.Close() }()
			go later(far, near, delay)
		}
	}()
	u.Host = ln.Addr().String()
	return u.String()
}

// later copies what it reads, each piece after its own delay.
func later(to io.WriteCloser, from io.Reader, delay time.Duration) {
	type piece struct {
		at   time.Time
		text []byte
	}
	pieces := make(chan piece, 1024)
	go func() {
		defer close(pieces)
		for {
			b := make([]byte, 16<<10)
			n, err := from.Read(b)
			if n > 0 {
				pieces <- piece{time.Now().Add(delay), b[:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range pieces {
		time.Sleep(time.Until(p.at))
		if _, err := to.Write(p.text); err != nil {
			break
		}
	}
	_ = to.Close()
	for range pieces { // what comes after that has nowhere to go
	}
}
