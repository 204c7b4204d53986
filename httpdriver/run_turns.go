package httpdriver

import "github.com/stile-oauth/stile/states"

// takeSlot takes the right to refresh at the token endpoint, if it is free. It comes
// before the lease, so a run that waits for it has marked nothing and has no time limit.
func (r *run) takeSlot() bool {
	d := r.s.d
	if r.slot.endpoint == nil {
		r.slot.endpoint = d.endpoints.use(r.m.Data.Token().Server.TokenEndpoint)
		r.s.mu.Lock()
		r.s.endpoint = r.slot.endpoint
		r.s.mu.Unlock()
	}
	select {
	case r.slot.endpoint.slots <- struct{}{}:
		r.slot.taken = true
	default:
	}
	return r.slot.taken
}

// takeTurn takes the turn to look for a client, if the question does that.
func (r *run) takeTurn(q states.Effect) (busy <-chan struct{}) {
	load, _ := q.(states.Load)
	if load.Key.Kind != states.KindRegistration || r.lookup.turn != nil {
		return nil
	}
	left := r.clock.left(r.s.d.o.Policy.LoginTime)
	if left <= 0 {
		return nil
	}
	if busy = r.s.d.registrations.take(load.Key); busy == nil {
		r.lookup.turn = &turn{key: load.Key}
	} else {
		r.alarms.delay.set(left)
	}
	return busy
}

func (r *run) freeSlot() {
	<-r.slot.endpoint.slots
	r.slot.taken = false
}
