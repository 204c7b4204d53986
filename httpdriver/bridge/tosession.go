package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// toSession sends a request of a host without sessions to a server with them.
func (b *bridge) toSession(ctx context.Context, u *upstream, id jsonrpc.ID, method string, params json.RawMessage) (json.RawMessage, error) {
	if method == listen {
		return b.subscribed(ctx, u, id, params)
	}
	level := parse(parse(params)["_meta"]).text(metaLevel)
	b.mu.Lock()
	levelled := level == b.level
	b.level = level
	b.mu.Unlock()
	if !levelled && level != "" {
		if _, err := u.peer.call(ctx, setLevel, marshal(map[string]string{"level": level}), nil); err != nil {
			b.log.Info("the server does not take a log level", "err", err)
		}
	}
	result, err := u.peer.call(ctx, method, withMeta(params, object{metaVersion: nil, metaClient: nil, metaCapabilities: nil, metaLevel: nil}), nil)
	if err != nil {
		return nil, err
	}
	r := parse(result)
	set := func(name string, v any) {
		if r[name] == nil {
			r[name] = marshal(v)
		}
	}
	set("resultType", "complete")
	if lists[method] != "" || method == "resources/read" {
		set("ttlMs", 0)
		set("cacheScope", "private")
	}
	return withMeta(marshal(r), object{metaServer: or(u.greeting.Server, `{}`)}), nil
}

// listener is a subscription of a modern host at a server with sessions.
type listener struct {
	id    jsonrpc.ID
	wants object
	uris  []string
}

func (l listener) hears(method string, params json.RawMessage) bool {
	kind, list := strings.CutSuffix(strings.TrimPrefix(method, "notifications/"), "/list_changed")
	if list {
		return string(l.wants[kind+"ListChanged"]) == "true"
	}
	return method == thingUpdated && slices.Contains(l.uris, parse(params).text("uri"))
}

// subscribed keeps a subscription until the host ends it or the session is over.
func (b *bridge) subscribed(ctx context.Context, u *upstream, id jsonrpc.ID, params json.RawMessage) (json.RawMessage, error) {
	l := listener{id: id, wants: parse(parse(params)["notifications"])}
	_ = json.Unmarshal(l.wants["resourceSubscriptions"], &l.uris)
	l.uris = slices.DeleteFunc(l.uris, func(uri string) bool {
		_, err := u.peer.call(ctx, subscribe, marshal(map[string]string{"uri": uri}), nil)
		return err != nil
	})
	if l.wants["resourceSubscriptions"] = marshal(l.uris); len(l.uris) == 0 {
		delete(l.wants, "resourceSubscriptions")
	}
	mark := object{metaSubscription: marshal(id.Raw())}
	if err := b.host.notify(ctx, acknowledged, withMeta(marshal(object{"notifications": marshal(l.wants)}), mark)); err != nil {
		return nil, err
	}
	b.mu.Lock()
	b.listens = append(b.listens, l)
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.listens = slices.DeleteFunc(b.listens, func(have listener) bool { return have.id == id })
		b.mu.Unlock()
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-u.peer.done:
		return marshal(map[string]any{"resultType": "complete", "_meta": mark}), nil
	}
}

// said gives the function that hears the notifications of a connection to the server.
func (b *bridge) said(u *upstream) func(context.Context, string, json.RawMessage) {
	return func(ctx context.Context, method string, params json.RawMessage) {
		meta := parse(parse(params)["_meta"])
		if len(meta[metaSubscription]) > 0 {
			var given any
			_ = json.Unmarshal(meta[metaSubscription], &given)
			key, _ := jsonrpc.MakeID(given)
			u.mu.Lock()
			id, ok := u.listening[key.Raw()]
			u.mu.Unlock()
			switch {
			case ok:
				params = withMeta(params, object{metaSubscription: marshal(id.Raw())})
			case method == acknowledged:
				return // of the bridge's own subscription
			default:
				params = withMeta(params, object{metaSubscription: nil})
			}
			_ = b.host.notify(ctx, method, params)
			return
		}
		b.tell(ctx, method, params)
	}
}

// tell gives a notification to the host, to a modern one by its subscriptions.
func (b *bridge) tell(ctx context.Context, method string, params json.RawMessage) {
	_, list := strings.CutSuffix(method, "/list_changed")
	if !b.isModern() || !list && method != thingUpdated {
		_ = b.host.notify(ctx, method, params)
		return
	}
	b.mu.Lock()
	listens := slices.Clone(b.listens)
	b.mu.Unlock()
	for _, l := range listens {
		if l.hears(method, params) {
			_ = b.host.notify(ctx, method, withMeta(params, object{metaSubscription: marshal(l.id.Raw())}))
		}
	}
}

// parking is a request of a modern host that goes on while the host is asked: the
// host gets the question as its answer, and sends the request again with its reply.
type parking struct {
	name  string
	seq   int
	final chan outcome
	asked chan question
	end   context.CancelFunc
	open  *question // guarded by bridge.mu
}

type outcome struct {
	result json.RawMessage
	err    error
}

type question struct {
	method string
	params json.RawMessage
	answer chan json.RawMessage
}

// parkable carries a request during which the host may be asked.
func (b *bridge) parkable(ctx context.Context, id jsonrpc.ID, method string, params json.RawMessage) (json.RawMessage, error) {
	p := parse(params)
	b.mu.Lock()
	park := b.parked[p.text("requestState")]
	var open *question
	if park != nil {
		open, park.open = park.open, nil
	}
	b.mu.Unlock()
	if park == nil {
		park = b.park(id, method, params)
	} else if open != nil {
		open.answer <- parse(p["inputResponses"])["ask"]
	}
	select {
	case out := <-park.final:
		return out.result, out.err
	case q := <-park.asked:
		b.mu.Lock()
		park.open = &q
		b.mu.Unlock()
		return marshal(map[string]any{
			"resultType": partial, "requestState": park.name,
			"inputRequests": map[string]any{"ask": object{"method": marshal(q.method), "params": or(q.params, `{}`)}},
		}), nil
	case <-ctx.Done():
		park.end()
		return nil, ctx.Err()
	}
}

// park begins a request that outlives the host's, for as long as a question may be
// open.
func (b *bridge) park(id jsonrpc.ID, method string, params json.RawMessage) *parking {
	ctx, cancel := context.WithCancel(b.ctx)
	b.mu.Lock()
	b.parkings++
	park := &parking{name: "stile-" + strconv.Itoa(b.parkings), seq: b.parkings, final: make(chan outcome, 1), asked: make(chan question), end: cancel}
	b.parked[park.name] = park
	b.mu.Unlock()
	b.work.Go(func() {
		defer cancel()
		result, err := b.carry(ctx, id, method, params, park)
		b.mu.Lock()
		delete(b.parked, park.name)
		b.mu.Unlock()
		park.final <- outcome{result, err}
	})
	return park
}

// ask puts a question to the host that sent the request.
func (p *parking) ask(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, parkTime)
	defer cancel()
	q := question{method, params, make(chan json.RawMessage, 1)}
	select {
	case p.asked <- q:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case a := <-q.answer:
		if len(a) == 0 {
			return nil, errors.New("the host sent its request again without an answer to the question")
		}
		return a, nil
	case <-ctx.Done():
		p.end() // the host does not come back
		return nil, ctx.Err()
	}
}

// serverRequest puts a request of a server with sessions to the host. A modern host is asked
// in the name of its oldest request that can carry a question.
func (b *bridge) serverRequest(ctx context.Context, _ jsonrpc.ID, method string, params json.RawMessage) (json.RawMessage, error) {
	if method == ping {
		return marshal(object{}), nil
	}
	if !b.isModern() {
		return b.host.call(ctx, method, params, nil)
	}
	b.mu.Lock()
	var oldest *parking
	for _, p := range b.parked {
		if p.open == nil && (oldest == nil || p.seq < oldest.seq) {
			oldest = p
		}
	}
	b.mu.Unlock()
	if oldest == nil || !slices.Contains(questions, method) {
		return nil, &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound, Message: "the host has no request under way that could be answered with this question"}
	}
	return oldest.ask(ctx, method, params)
}
