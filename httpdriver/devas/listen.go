package devas

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Listen opens a TCP listener on a loopback address: "127.0.0.1:9000",
// "[::1]:0", "localhost:9000". Any other host, and an empty one, is an error
// (rs-localhost-bind).
func Listen(addr string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("devas: %q is not host:port: %w", addr, err)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("devas: %q is not a loopback address; a development server listens nowhere else", addr)
	}
	return net.Listen("tcp", net.JoinHostPort(host, port))
}

// Serve runs a handler until the context ends, then lets open requests finish
// for two seconds. The end of the context is no error.
func Serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := srv.Shutdown(last); err != nil {
		_ = srv.Close() // streams that would not end
	}
	return nil
}

func listenAndServe(ctx context.Context, addr string, h http.Handler) error {
	ln, err := Listen(addr)
	if err != nil {
		return err
	}
	return Serve(ctx, ln, h)
}

// ownHost says that a Host field names this server: the host of its public
// address, or a loopback name. Another name that resolves to loopback is how
// a web page would reach a local server (DNS rebinding).
func ownHost(host string, public string) bool {
	if u, err := url.Parse(public); err == nil && strings.EqualFold(host, u.Host) {
		return true
	}
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	return loopbackName(name)
}

// OnLoopback says that the host of a URL is a loopback name or address.
func OnLoopback(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && loopbackName(u.Hostname())
}

func loopbackName(name string) bool {
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil && ip.IsLoopback()
}

// ownOrigin says that an Origin field may call this server: its own origin,
// one on loopback, or one on the list.
func ownOrigin(origin string, public string, allowed []string) bool {
	for _, a := range allowed {
		if origin == a {
			return true
		}
	}
	u, err := url.Parse(origin)
	if err != nil || u.Path != "" {
		return false
	}
	p, err := url.Parse(public)
	return err == nil && (u.Scheme == p.Scheme && u.Host == p.Host || u.Scheme == "http" && loopbackName(u.Hostname()))
}

func originOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.Scheme + "://" + u.Host
}
