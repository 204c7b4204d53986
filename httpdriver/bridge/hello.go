package bridge

import "encoding/json"

// greeted reports whether a host was not known before.
func (b *bridge) greeted(h hello) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hello.version == "" && h.version != ""
}

// welcome answers `initialize`; meanwhile the server is connected.
func (b *bridge) welcome(params json.RawMessage) json.RawMessage {
	p := parse(params)
	h := hello{version: p.text("protocolVersion"), client: p["clientInfo"], caps: p["capabilities"]}
	if !session(h.version) {
		h.version = newest
	}
	told := b.met(h)
	out := map[string]any{"protocolVersion": h.version, "capabilities": or(told.Capabilities, `{}`), "serverInfo": or(told.Server, string(anything.Server))}
	if told.Instructions != "" {
		out["instructions"] = told.Instructions
	}
	return marshal(out)
}

// introduce answers `server/discover`.
func (b *bridge) introduce(params json.RawMessage) json.RawMessage {
	told := b.meet(params)
	out := map[string]any{
		"resultType": "complete", "supportedVersions": []string{modern}, "capabilities": or(told.Capabilities, `{}`),
		"ttlMs": 0, "cacheScope": "private",
		"_meta": object{metaServer: or(told.Server, string(anything.Server))},
	}
	if told.Instructions != "" {
		out["instructions"] = told.Instructions
	}
	return marshal(out)
}

// meet takes the introduction of a host that has no sessions.
func (b *bridge) meet(params json.RawMessage) Greeting {
	meta := parse(parse(params)["_meta"])
	return b.met(hello{version: modern, client: meta[metaClient], caps: meta[metaCapabilities]})
}

// met remembers the host and begins to connect the server.
func (b *bridge) met(h hello) Greeting {
	b.mu.Lock()
	first := b.hello.version == ""
	b.hello = h
	told := b.told
	b.mu.Unlock()
	if first {
		b.work.Go(func() { b.greet() })
	}
	return told
}

// greet connects the server for the first time, so that the first request of the
// host finds it connected, and a login that is due is known.
func (b *bridge) greet() {
	if _, err := b.connected(b.ctx); err != nil && b.ctx.Err() == nil {
		if l := b.login(err); l != nil {
			b.announce(l)
			return
		}
		b.log.Warn("the server is not connected; the next request tries again", "err", err)
	}
}
