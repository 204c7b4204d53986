package backend

import (
	"container/heap"
	"time"
)

// Expiries tells which of many things have expired, the earliest first: adding,
// moving and removing one costs the logarithm of their number.
type Expiries[K comparable] struct{ h expiryHeap[K] }

// Set sets or moves the expiry of k; the zero time removes it.
func (e *Expiries[K]) Set(k K, at time.Time) {
	i, there := e.h.index[k]
	switch {
	case at.IsZero():
		if there {
			heap.Remove(&e.h, i)
		}
	case there:
		e.h.items[i].at = at
		heap.Fix(&e.h, i)
	default:
		heap.Push(&e.h, expiryItem[K]{k, at})
	}
}

// Expired takes out one thing that has expired.
func (e *Expiries[K]) Expired(now time.Time) (k K, ok bool) {
	if len(e.h.items) == 0 || e.h.items[0].at.After(now) {
		return k, false
	}
	return heap.Pop(&e.h).(expiryItem[K]).key, true
}

type expiryItem[K comparable] struct {
	key K
	at  time.Time
}

// expiryHeap is a heap.Interface that knows where each key is.
type expiryHeap[K comparable] struct {
	items []expiryItem[K]
	index map[K]int
}

func (h *expiryHeap[K]) Len() int           { return len(h.items) }
func (h *expiryHeap[K]) Less(i, j int) bool { return h.items[i].at.Before(h.items[j].at) }
func (h *expiryHeap[K]) Swap(i, j int) {
	h.items[i], h.items[j] = h.items[j], h.items[i]
	h.index[h.items[i].key], h.index[h.items[j].key] = i, j
}

func (h *expiryHeap[K]) Push(x any) {
	if h.index == nil {
		h.index = map[K]int{}
	}
	item := x.(expiryItem[K])
	h.index[item.key] = len(h.items)
	h.items = append(h.items, item)
}

func (h *expiryHeap[K]) Pop() any {
	last := len(h.items) - 1
	item := h.items[last]
	h.items[last] = expiryItem[K]{}
	h.items = h.items[:last]
	delete(h.index, item.key)
	return item
}
