package httpdriver

import (
	"errors"
	"fmt"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/transitions"
)

// open makes the machine and gives it its first input.
func (r *run) open() bool {
	w, d := r.want, r.s.d
	if err := r.begin(); err != nil {
		r.out.err = err
		return false
	}
	r.record()
	switch {
	case w.resume != nil:
		return r.step(message{in: states.Resumed{Seed: d.seed()}}) &&
			r.step(message{in: states.Redirected{Serial: r.m.Data.Flow.Visit, URL: w.redirect}})
	case w.logout:
		return r.step(message{in: states.LoggedOut{Seed: d.seed(), Forget: w.forget}})
	}
	if r.from != nil {
		r.from = nil
		if w.challenge == nil {
			return r.step(message{in: states.Accepted{Generation: r.m.Data.Token().Generation}})
		}
		return r.step(message{in: *w.challenge})
	}
	if t := r.s.held.Load(); t != nil && t.accepted.Load() {
		r.statements = append(r.statements, states.Accepted{Generation: t.generation})
	}
	if w.challenge != nil {
		r.statements = append(r.statements, *w.challenge)
	}
	if w.announced != nil && !r.step(message{in: *w.announced}) {
		return false
	}
	if !r.step(message{in: states.Begun{Seed: d.seed(), Login: w.login, Scopes: w.scopes, NewClient: w.newClient}}) {
		return false
	}
	r.start()
	return true
}

// start answers the first question with what a request has read already.
func (r *run) start() {
	st := r.want.stored
	if st == nil {
		return
	}
	r.want.stored = nil
	if q, ok := r.questions[0].(states.Load); ok {
		r.questions, r.answered = r.space[:0], loaded(q.Serial, st.entry, st.err)
	}
}

// begin makes the machine: from a login that waited, from a run that this one continues,
// or a new one.
func (r *run) begin() (err error) {
	if err := r.possession(); err != nil {
		return err
	}
	switch {
	case r.want.resume != nil:
		r.m = *r.want.resume
		return nil
	case r.from != nil:
		r.m = r.from.m
		return nil
	case r.checked == nil:
		if r.checked, err = r.s.d.config(r.s.account); err != nil {
			return err
		}
	}
	r.checked.Concurrent = r.checked.Concurrent || r.want.byUser
	if p := r.s.prover.Load(); p != nil {
		r.checked.Binding, r.checked.ProofKey = r.s.d.o.Policy.Binding, &p.key
	}
	r.m = fsm.Machine{State: states.Idle, Data: states.Data{Config: r.checked}}
	return nil
}

// step gives one input to the machine and takes its effects. false ends the run.
func (r *run) step(h message) bool {
	d := r.s.d
	at, before := d.now(), r.m
	if l, ok := h.in.(states.Leased); ok {
		// A lease starts at the latest when it was asked for, because the process may have
		// been stopped before the answer arrived.
		l.TTL -= max(0, at.Sub(r.slot.askedAt))
		h.in = l
	}
	r.bound(h.listener)
	res, err := d.step(r.m, at, h.in)
	if err != nil {
		if h.reply != nil {
			h.reply(staleCallback)
		}
		if errors.Is(err, fsm.ErrStale) {
			return true // an answer to a question that is no longer open
		}
		r.out.err = fmt.Errorf("httpdriver: %w", err)
		d.log.Error("the machine refused an input", "account", r.s.account, "err", err)
		return false
	}
	r.m = res.Machine
	if (res.Event == transitions.JAGGiven || res.Event == transitions.JAGGivenToSign) && r.identity != nil {
		r.identity.accepted.Store(true) // the provider took it: a later refusal is no sign of a loop
	}
	r.share()
	d.tell(r.s.account, at, &before, h.in, &res)
	r.traced(at, before.State, h.in, &res)
	if h.reply != nil {
		r.answerCallback(res.Event, h.reply)
	}
	switch _, tick := h.in.(states.Ticked); {
	case !res.Held:
		r.leave()
	case tick: // it came a moment early
		for _, eff := range fsm.Pending(r.m) {
			switch eff := eff.(type) {
			case states.Wake:
				r.alarms.wake.set(max(time.Millisecond, eff.At.Sub(d.now())))
			case states.Ask:
				r.alarms.wake.set(max(time.Millisecond, eff.Deadline.Sub(d.now())))
			default: // the others need nothing here
			}
		}
	}
	if r.m.Data.Flow == nil {
		r.lookup.began = time.Time{} // what was fetched is known until the end, in case the login failed
	} else if r.lookup.began.IsZero() {
		r.lookup.began, r.lookup.fetched = time.Now(), nil
	}
	r.clock.follow(r.m.Data.Flow != nil, states.Visiting(r.m.State) || r.m.State == states.AwaitingUser || r.m.State == states.Queuing || r.beside != nil)
	for _, eff := range res.Effects {
		r.take(eff)
	}
	return r.out.err == nil
}

// share tells other goroutines what has changed for them.
func (r *run) share() {
	login, queuing := r.m.Data.Flow != nil, r.m.State == states.Queuing
	if r.shared.login == login && r.shared.queuing == queuing {
		return // only the loop writes them
	}
	r.s.mu.Lock()
	r.shared.over = r.shared.over || r.shared.login && !login
	r.shared.login, r.shared.queuing = login, queuing
	r.s.mu.Unlock()
}

// leave ends the work for a state that the machine has left. A Visit stays open while
// the user decides.
func (r *run) leave() {
	r.questions, r.answered = r.space[:0], nil
	if s := r.m.State; s != states.Loading && s != states.Leasing && s != states.Waiting && s != states.Looking {
		r.endWatch()
	}
	r.beside.end()
	r.beside = nil
	r.alarms.wake.stop()
	r.alarms.delay.stop()
	if !states.Visiting(r.m.State) {
		r.endVisit()
	}
	if s := r.m.State; s == states.Parking || s == states.ParkingDevice || states.Resting(s) {
		r.endTurn() // there is a client, or none is needed any more
	}
	r.alarms.pausing = time.Time{}
	if r.slot.taken && r.m.State != states.Leasing && !states.HoldsLease(r.m.State) {
		r.freeSlot()
	}
}
