package httpdriver

import (
	"sync"
	"time"

	"github.com/stile-oauth/stile/states"
)

// endpoints limit the refreshes of this process at each token endpoint, over all
// accounts: how many are under way at once, and how often one is tried while the
// endpoint is in trouble.
type endpoints struct {
	most int // refreshes under way at one endpoint

	mu  sync.Mutex
	all map[string]*endpoint
}

// endpoint is one token endpoint. endpoints.mu guards its members, except slots.
type endpoint struct {
	of    *endpoints
	url   string
	users int // runs that hold or wait for a slot
	// slots holds one value for each right to refresh that is taken: a run sends to it to
	// take the right, and receives from it to give the right back.
	slots chan struct{}
	// fault is why the endpoint is in trouble; nil if it is not. In trouble, one refresh may
	// try again at probe.
	fault *states.Fault
	probe time.Time
}

// probeEvery is how often a refresh of any account is tried at an endpoint that is in
// trouble. When one gets an answer, all continue.
const probeEvery = time.Second

// maxEndpoints is the number of endpoints from which on unused endpoints are forgotten
// even if they are in trouble.
const maxEndpoints = 1024

// use gives the endpoint with a URL; the caller must call leave once for it.
func (e *endpoints) use(url string) *endpoint {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.all[url]
	if p == nil {
		p = &endpoint{of: e, url: url, slots: make(chan struct{}, e.most)}
		e.all[url] = p
	}
	p.users++
	return p
}

func (p *endpoint) leave() {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	if p.users--; p.users == 0 && (p.fault == nil || len(p.of.all) > maxEndpoints) {
		delete(p.of.all, p.url)
	}
}

// refuses gives the trouble, if there is any, while it is too soon to try again.
func (p *endpoint) refuses(now time.Time) *states.Fault {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	if now.Before(p.probe) {
		return p.fault
	}
	return nil
}

// admit is refuses for a refresh that is about to begin: if it may try, the next one
// has to wait.
func (p *endpoint) admit(now time.Time) *states.Fault {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	if now.Before(p.probe) {
		return p.fault
	}
	p.probe = now.Add(probeEvery)
	return nil
}

// failed says that the endpoint is in trouble.
func (p *endpoint) failed(f *states.Fault, now time.Time) {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	p.fault, p.probe = f, now.Add(probeEvery)
}

// answered says that the endpoint is no longer in trouble.
func (p *endpoint) answered() {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	p.fault = nil
}
