package httpdriver

import "github.com/stile-oauth/stile/states"

// takeSlot takes the right to refresh at the token endpoint, if it is free. It comes
// before the lease, so a run that waits for it has marked nothing and has no time limit.
func (r *run) takeSlot() bool {
	d := r.s.d
	if r.endpoint == nil {
		r.endpoint = d.endpoints.use(r.m.Data.Token().Server.TokenEndpoint)
		r.s.mu.Lock()
		r.s.endpoint = r.endpoint
		r.s.mu.Unlock()
	}
	select {
	case r.endpoint.slots <- struct{}{}:
		r.slot = true
	default:
	}
	return r.slot
}

// takeTurn takes the turn to look for a client, if the question does that.
func (r *run) takeTurn(q states.Effect) (busy <-chan struct{}) {
	load, ok := q.(states.Load)
	if !ok || load.Key.Kind != states.KindRegistration || r.turn != nil {
		return nil
	}
	left := r.clock.left(r.s.d.o.Policy.LoginTime)
	if left <= 0 {
		return nil
	}
	if busy = r.s.d.registrations.take(load.Key); busy == nil {
		r.turn = &turn{key: load.Key}
	} else {
		r.delay.set(left)
	}
	return busy
}

func (r *run) freeSlot() {
	<-r.endpoint.slots
	r.slot = false
}
