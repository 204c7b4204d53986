package bearer

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"time"
)

// cache remembers answers by the hash of their token: bounded in number, in time, and
// never beyond the token's own expiry (rs-introspect-cache). The token itself is not
// kept. An answer that is too old to be used stays until newer answers need its place,
// because it distinguishes tokens that were good from those never seen.
type cache struct {
	mu    sync.Mutex
	size  int
	order *list.List // most recently used first
	byKey map[[sha256.Size]byte]*list.Element
}

type cached struct {
	key    [sha256.Size]byte
	until  time.Time
	claims Claims
}

func newCache(size int) *cache {
	return &cache{size: size, order: list.New(), byKey: make(map[[sha256.Size]byte]*list.Element)}
}

// get gives the claims of a token that is known, and whether they may be used.
func (c *cache) get(at time.Time, key [sha256.Size]byte) (claims Claims, fresh, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[key]
	if !ok {
		return Claims{}, false, false
	}
	v, _ := e.Value.(*cached)
	c.order.MoveToFront(e)
	return v.claims, at.Before(v.until), true
}

func (c *cache) remove(key [sha256.Size]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byKey[key]; ok {
		c.order.Remove(e)
		delete(c.byKey, key)
	}
}

func (c *cache) put(key [sha256.Size]byte, until time.Time, claims Claims) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byKey[key]; ok {
		e.Value = &cached{key, until, claims}
		c.order.MoveToFront(e)
		return
	}
	c.byKey[key] = c.order.PushFront(&cached{key, until, claims})
	for c.order.Len() > c.size {
		last := c.order.Back()
		v, _ := last.Value.(*cached)
		delete(c.byKey, v.key)
		c.order.Remove(last)
	}
}
