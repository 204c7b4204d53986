package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// toModern sends a request of a host with sessions to a server without: the request
// carries what the session held, and questions of the server become requests to the host.
func (b *bridge) toModern(ctx context.Context, u *upstream, method string, params json.RawMessage) (json.RawMessage, error) {
	p := parse(params)
	switch method {
	case setLevel:
		b.mu.Lock()
		b.level = p.text("level")
		b.mu.Unlock()
		return marshal(object{}), nil
	case subscribe, unsubscribe:
		b.watch(p.text("uri"), method == subscribe)
		select {
		case u.relisten <- struct{}{}:
		default: // it is asked for already
		}
		return marshal(object{}), nil
	}
	for range maxRounds {
		result, err := u.peer.call(ctx, method, withMeta(marshal(p), u.meta(b)), nil)
		if err != nil {
			return nil, err
		}
		r := parse(result)
		if r.text("resultType") != partial {
			return result, nil
		}
		answers, err := b.putQuestions(ctx, r["inputRequests"])
		if err != nil {
			return nil, err
		}
		p["inputResponses"], p["requestState"] = answers, r["requestState"]
		if p["requestState"] == nil {
			delete(p, "requestState")
		}
	}
	return nil, &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: fmt.Sprintf("the server asked back %d times for one request", maxRounds)}
}

// questions are what a server may ask its host.
var questions = []string{elicit, "sampling/createMessage", "roots/list"}

// putQuestions puts the questions of a result to the host, one after the other.
func (b *bridge) putQuestions(ctx context.Context, raw json.RawMessage) (json.RawMessage, error) {
	answers := object{}
	for name, q := range parse(raw) {
		question := parse(q)
		method := question.text("method")
		if !slices.Contains(questions, method) {
			return nil, &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: fmt.Sprintf("the server asks %.60q, which the host cannot be asked", method)}
		}
		a, err := b.host.call(ctx, method, question["params"], nil)
		if err != nil {
			return nil, fmt.Errorf("the host did not answer the server's %s: %w", method, err)
		}
		answers[name] = a
	}
	return marshal(answers), nil
}

// watch remembers which resources the host wants to hear of.
func (b *bridge) watch(uri string, on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watched = slices.DeleteFunc(b.watched, func(have string) bool { return have == uri })
	if on {
		b.watched = append(b.watched, uri)
	}
}

// wanted is what a host with sessions is to hear of: all that the server offers.
func (b *bridge) wanted(u *upstream) map[string]any {
	b.mu.Lock()
	defer b.mu.Unlock()
	caps, out := parse(u.greeting.Capabilities), map[string]any{}
	for _, kind := range []string{"tools", "prompts", "resources"} {
		if string(parse(caps[kind])["listChanged"]) == "true" {
			out[kind+"ListChanged"] = true
		}
	}
	if len(b.watched) > 0 {
		out["resourceSubscriptions"] = slices.Clone(b.watched)
	}
	return out
}

// listenAll keeps a subscription open at a server of the new era, for a host that
// knows none.
func (b *bridge) listenAll(ctx context.Context, u *upstream) {
	if b.isModern() {
		return
	}
	for pause := streamPause; ctx.Err() == nil; {
		want := b.wanted(u)
		if len(want) == 0 {
			select {
			case <-u.relisten:
			case <-ctx.Done():
			}
			continue
		}
		one, cancel := context.WithCancel(ctx)
		renewed := make(chan struct{})
		go func() {
			defer close(renewed)
			select {
			case <-u.relisten:
				cancel()
			case <-one.Done():
			}
		}()
		began := time.Now()
		_, err := u.peer.call(one, listen, withMeta(marshal(map[string]any{"notifications": want}), u.meta(b)), nil)
		asked := one.Err() != nil // by relisten, or the end of the bridge
		cancel()
		<-renewed
		if said := saidBy(err); said != nil && said.Code == jsonrpc.CodeMethodNotFound {
			return
		}
		if asked {
			continue
		}
		if time.Since(began) > streamMost {
			pause = streamPause
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, streamMost)
	}
}
