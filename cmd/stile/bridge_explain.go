package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/bridge"
	"github.com/stile-oauth/stile/states"
)

// explain completes an error before the host gets it: it says whose fault it is, what to
// do and where more is written. Hosts often show the message alone, so the message holds
// what matters.
func (g *gate) explain(ctx context.Context, why error, e *jsonrpc.Error) {
	data := map[string]any{}
	_ = json.Unmarshal(e.Data, &data)
	switch {
	case errors.Is(why, bridge.ErrLoginNeeded):
		data["see"] = entryAt("bridge-login")
		if data["authorization_url"] != nil && data["user_code"] == nil {
			data["paste"] = pasteCommand(g.server)
		}
	case errors.Is(why, bridge.ErrHidden):
		data["see"] = entryAt("bridge-hidden")
	default:
		v := g.a.view(g.meaning(ctx, why))
		e.Message = v.inOne()
		written, _ := json.Marshal(v)
		_ = json.Unmarshal(written, &data)
	}
	if written, err := json.Marshal(data); err == nil {
		e.Data = written
	}
}

// meaning says what an error of the relay means.
func (g *gate) meaning(ctx context.Context, why error) error {
	g.mu.Lock()
	c, last := g.cl, g.last
	g.mu.Unlock()
	var own *failure
	_, fault := fsm.FaultOf(why)
	switch {
	case errors.As(why, &own):
		return own // without the SDK's words about how it was sent
	case c == nil:
		return why
	case errors.Is(why, bridge.ErrNoSSE):
		return &failure{
			code: exitPeer, party: states.PartyPeer, see: "bridge-transport", err: errors.New(g.server + " has no HTTP+SSE (MCP 2024-11-05)"),
			advice: "leave out --transport",
		}
	case fault:
		return c.explain(ctx, &g.f.accountFlags, why)
	case errors.Is(why, httpdriver.ErrOutside):
		return c.outside(why, answer{})
	case notAnswered(why):
		return notReached(g.server, why)
	case last.status >= 400 && strings.Contains(why.Error(), http.StatusText(last.status)):
		return c.refused(last, why)
	}
	return &failure{
		code: exitNetwork, party: states.PartyNetwork, see: "bridge-broken", err: errors.New(inWords(why)),
		advice: "try again; if it was a call, check first whether the server carried it out",
	}
}

// notAnswered reports whether a request did not reach the server.
func notAnswered(err error) bool {
	var (
		op      *net.OpError
		dns     *net.DNSError
		record  tls.RecordHeaderError
		bad     *tls.CertificateVerificationError
		outer   *url.Error
		timeout net.Error
	)
	return errors.As(err, &dns) || errors.As(err, &record) || errors.As(err, &bad) ||
		errors.As(err, &op) && op.Op == "dial" ||
		errors.As(err, &outer) && (errors.As(err, &timeout) && timeout.Timeout() || strings.Contains(err.Error(), "HTTP response to HTTPS client"))
}

// explaining gives each error of a log as the host is told of it, with the address of what
// is written about it.
type explaining struct {
	slog.Handler
	g *gate
}

func (h explaining) Handle(ctx context.Context, r slog.Record) error {
	told := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		err, ok := a.Value.Any().(error)
		if !ok || r.Level < slog.LevelWarn {
			told.AddAttrs(a)
			return true
		}
		v := h.g.a.view(h.g.meaning(ctx, err))
		told.AddAttrs(slog.String(a.Key, v.head()), slog.String("see", v.See))
		return true
	})
	return h.Handler.Handle(ctx, told)
}
