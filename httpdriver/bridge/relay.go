package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// relay carries a request of the host to the server, and its answer back. Where a
// modern host can be asked back, the request is parked while a question is open.
func (b *bridge) relay(ctx context.Context, id jsonrpc.ID, method string, params json.RawMessage) (json.RawMessage, error) {
	if b.isModern() && slices.Contains(asksBack, method) {
		return b.parkable(ctx, id, method, params)
	}
	return b.carry(ctx, id, method, params, nil)
}

// carry sends a request until there is an answer: once more after a login, after a
// session that the server has forgotten, and after a lost connection if the request
// only reads. park is where the host can be asked, if it can.
func (b *bridge) carry(ctx context.Context, id jsonrpc.ID, method string, params json.RawMessage, park *parking) (json.RawMessage, error) {
	var begun time.Time // of the first wait
	for try, logins := 0, 0; ; try++ {
		u, err := b.connected(ctx)
		var result json.RawMessage
		if err == nil {
			result, err = b.send(ctx, u, id, method, params)
		}
		said, l := saidBy(err), b.login(err)
		switch {
		case err == nil || ctx.Err() != nil:
			return result, err
		case l != nil && logins < maxLogins:
			if logins++; logins == 1 {
				begun = time.Now()
			}
			if err := b.await(ctx, l, begun, park); err != nil {
				return nil, err
			}
		case l != nil:
			b.announce(l)
			return nil, b.needs(l)
		case said != nil && said.Code == jsonrpc.CodeMethodNotFound && lists[method] != "":
			return marshal(map[string]any{lists[method]: []any{}}), nil
		case u != nil && try == 0 && b.mayRepeat(u, method, err):
			b.forget(u)
		default:
			return nil, err
		}
	}
}

// mayRepeat reports whether a request that failed may be sent once more, over a new
// connection.
func (b *bridge) mayRepeat(u *upstream, method string, err error) bool {
	if said := saidBy(err); said != nil {
		return said.Code == codeUnsupported && u.modern()
	}
	return errors.Is(err, mcp.ErrSessionMissing) || slices.Contains(onlyReads, method)
}

// send gives a request to the server in the words of its era.
func (b *bridge) send(ctx context.Context, u *upstream, id jsonrpc.ID, method string, params json.RawMessage) (json.RawMessage, error) {
	modernHost := b.isModern()
	switch {
	case u.modern() && !modernHost:
		return b.toModern(ctx, u, method, params)
	case !u.modern() && modernHost:
		return b.toSession(ctx, u, id, method, params)
	case method != listen:
		return u.peer.call(ctx, method, params, nil)
	}
	var own jsonrpc.ID
	defer func() {
		u.mu.Lock()
		delete(u.listening, own.Raw())
		u.mu.Unlock()
	}()
	return u.peer.call(ctx, method, params, func(given jsonrpc.ID) {
		own = given
		u.mu.Lock()
		u.listening[given.Raw()] = id
		u.mu.Unlock()
	})
}

// login recognises that the user has to log in first.
func (b *bridge) login(err error) *Login {
	if err == nil || b.o.Login == nil {
		return nil
	}
	return b.o.Login(err)
}

// await waits for a login. A request may wait for Options.LoginWait in all, counted from
// begun. await gives nil when the request may be sent again.
func (b *bridge) await(ctx context.Context, l *Login, begun time.Time, park *parking) error {
	b.announce(l)
	if park != nil && b.canVisit() && l.URL != "" {
		said, err := park.ask(ctx, elicit, b.visit(l))
		if err != nil {
			return err
		}
		if a := parse(said).text("action"); a != "accept" {
			return b.needs(l)
		}
	}
	wait := time.NewTimer(b.o.LoginWait - time.Since(begun))
	defer wait.Stop()
	select {
	case <-l.Done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-wait.C:
		return b.needs(l)
	}
}

// announce tells of a login once: it tells the host, if that shows addresses to its
// user, and the program around the bridge.
func (b *bridge) announce(l *Login) {
	b.mu.Lock()
	known := b.shown != nil && b.shown.Done == l.Done
	b.shown = l
	b.mu.Unlock()
	if known {
		return
	}
	elicited := l.URL != "" && b.canVisit()
	if b.o.Wanted != nil {
		b.o.Wanted(l, elicited)
	}
	if elicited && !b.isModern() {
		b.work.Go(func() { _, _ = b.host.call(b.ctx, elicit, b.visit(l), nil) })
	}
	b.work.Go(func() {
		select {
		case <-l.Done:
		case <-b.ctx.Done():
			return
		}
		if elicited {
			_ = b.host.notify(b.ctx, visited, marshal(map[string]string{"elicitationId": b.visitID(l)}))
		}
		b.recover()
	})
}

// recover tells the host to look again, if requests of the host failed for want of the
// login that has ended now.
func (b *bridge) recover() {
	b.mu.Lock()
	missed := b.missed
	b.mu.Unlock()
	if !missed {
		return
	}
	if _, err := b.connected(b.ctx); err != nil {
		return
	}
	b.mu.Lock()
	missed, b.missed = b.missed, false
	b.mu.Unlock()
	if missed {
		b.changed(b.ctx)
	}
}

func (b *bridge) visitID(l *Login) string { return "login-" + l.Expires.UTC().Format(time.RFC3339Nano) }

// visit asks the host to show the address of a login to its user.
func (b *bridge) visit(l *Login) json.RawMessage {
	return marshal(map[string]string{
		"mode": "url", "url": l.URL, "elicitationId": b.visitID(l),
		"message": fmt.Sprintf("The server %s wants you to log in at %s%s.", b.o.Server, l.Issuer, l.enter()),
	})
}

// needs is the error of a request that a login holds up.
func (b *bridge) needs(l *Login) error {
	b.mu.Lock()
	b.missed = true
	b.mu.Unlock()
	e := &jsonrpc.Error{Code: codeLogin, Message: "A login at " + l.Issuer + " is needed. Open this address in a browser" + l.enter() + ", then try again: " + l.URL}
	data := map[string]any{"issuer": l.Issuer}
	if l.Code != "" {
		data["user_code"] = l.Code
	}
	if l.URL == "" {
		e.Message = "A login is needed, and another instance of the bridge waits for it. Finish it in the browser, then try again."
	} else {
		data["authorization_url"], data["expires"] = l.URL, l.Expires.UTC().Format(time.RFC3339)
		data["elicitations"] = []json.RawMessage{b.visit(l)} // MCP 2025-11-25, elicitation, "URL Elicitation Required Error"
	}
	e.Data = marshal(data)
	return &ours{ErrLoginNeeded, e}
}

// enter says what to do with the code of a login that has one.
func (l *Login) enter() string {
	if l.Code == "" {
		return ""
	}
	return " and enter the code " + l.Code
}

// changed tells a host that every list may have changed.
func (b *bridge) changed(ctx context.Context) {
	for _, method := range []string{toolsChanged, promptsChanged, thingsChanged} {
		b.tell(ctx, method, nil)
	}
}

// ignored reports whether a tool is hidden from the host.
func (b *bridge) ignored(tool string) bool {
	return slices.ContainsFunc(b.o.Ignore, func(pattern string) bool {
		return matches(strings.ToLower(pattern), strings.ToLower(tool))
	})
}

// matches reports whether a name fits a pattern, in which * stands for any text.
func matches(pattern, name string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	if !star || !strings.HasPrefix(name, first) {
		return pattern == name
	}
	for name = name[len(first):]; ; name = name[1:] {
		if matches(rest, name) {
			return true
		}
		if name == "" {
			return false
		}
	}
}

// visible removes the tools that are hidden from the host.
func (b *bridge) visible(result json.RawMessage) json.RawMessage {
	if len(b.o.Ignore) == 0 {
		return result
	}
	r := parse(result)
	var tools []json.RawMessage
	if json.Unmarshal(r["tools"], &tools) != nil {
		return result
	}
	r["tools"] = marshal(slices.DeleteFunc(tools, func(t json.RawMessage) bool { return b.ignored(parse(t).text("name")) }))
	return marshal(r)
}
