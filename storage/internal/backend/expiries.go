package backend

import (
	"container/heap"
	"time"
)

// Expiries tells which of many things have expired, the earliest first. Adding,
// moving or removing one takes time logarithmic in their number.
type Expiries[K comparable] struct{ h expiryHeap[K] }

// Set sets or moves the expiry of k; the zero time removes it.
func (e *Expiries[K]) Set(k K, at time.Time) {
	item := e.h.items[k]
	switch {
	case at.IsZero():
		if item != nil {
			heap.Remove(&e.h, item.place)
		}
	case item != nil:
		item.at = at
		heap.Fix(&e.h, item.place)
	default:
		heap.Push(&e.h, &expiryItem[K]{key: k, at: at})
	}
}

// Expired takes out one thing that has expired.
func (e *Expiries[K]) Expired(now time.Time) (k K, ok bool) {
	if e.h.Len() == 0 || e.h.order[0].at.After(now) {
		return k, false
	}
	return heap.Pop(&e.h).(*expiryItem[K]).key, true
}

type expiryItem[K comparable] struct {
	key   K
	at    time.Time
	place int // in expiryHeap.order
}

// expiryHeap is a heap.Interface that finds the item of each key.
type expiryHeap[K comparable] struct {
	order []*expiryItem[K]
	items map[K]*expiryItem[K]
}

func (h *expiryHeap[K]) Len() int           { return len(h.order) }
func (h *expiryHeap[K]) Less(i, j int) bool { return h.order[i].at.Before(h.order[j].at) }
func (h *expiryHeap[K]) Swap(i, j int) {
	h.order[i], h.order[j] = h.order[j], h.order[i]
	h.order[i].place, h.order[j].place = i, j
}

func (h *expiryHeap[K]) Push(x any) {
	if h.items == nil {
		h.items = map[K]*expiryItem[K]{}
	}
	item := x.(*expiryItem[K])
	item.place = len(h.order)
	h.items[item.key] = item
	h.order = append(h.order, item)
}

func (h *expiryHeap[K]) Pop() any {
	last := len(h.order) - 1
	item := h.order[last]
	h.order[last] = nil
	h.order = h.order[:last]
	delete(h.items, item.key)
	return item
}
