package httpdriver

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

// carryOut runs one effect: statements at once, questions by the loop or beside it.
func (r *run) carryOut(eff states.Effect) {
	switch e := eff.(type) {
	case states.Wake:
		wait := e.At.Sub(r.s.d.now())
		if r.m.State != states.Authorized {
			r.timer.set(wait)
		} else if wait <= 0 && (r.want.quiet || r.m.Data.Challenge != nil) {
			// A challenge to be looked at, or the renewal that this run is for. Other
			// runs have callers who wait, and a token that is still good.
			r.todo = append(r.todo, states.Ticked{})
		}
	case states.Grant:
		resource := ""
		if t := r.m.Data.Token(); t != nil {
			resource = t.Resource
		}
		if o := r.m.Data.Obtained; o != nil {
			resource = o.Resource
		}
		r.granted = r.s.grant(e, r.m.Data.Config.Reach(resource))
		if !states.Resting(r.m.State) && r.early.token == nil {
			r.early, r.unsaved = outcome{token: r.granted, asked: r.asks()}, r.m.State == states.Resaving
			close(r.handed)
			if !r.unsaved {
				r.endCallbacks(true, nil) // the login is over; what follows is none of the human's
			}
		}
	case states.Report:
		r.fault = &e.Fault
	case states.Release:
		if err := r.s.d.store.Release(r.life.store(), e.Key, e.Fence); err != nil {
			r.s.d.log.Warn("a lease could not be released; it runs out by itself", "err", err)
		}
	case states.Note:
	case states.Visit:
		r.goVisit(e)
	case states.Send:
		r.ask(e.Serial, eff)
	case states.Ask:
		if r.s.d.atHand(e) {
			r.here = eff
		} else {
			r.timer.set(e.Deadline.Sub(r.s.d.now())) // the machine takes the default then
			r.ask(e.Serial, eff)
		}
	case states.Save:
		if e.NotBefore.IsZero() {
			r.here = eff
		} else {
			r.ask(e.Serial, eff)
		}
	default:
		r.here = eff
	}
}

// ask carries a question out in a goroutine; its answer joins the queue.
func (r *run) ask(serial uint64, eff states.Effect) {
	ctx, asked := r.life.question(serial), r.s.d.now()
	r.s.d.work.Add(1)
	go r.beside(ctx, eff, asked)
}

func (r *run) beside(ctx context.Context, eff states.Effect, asked time.Time) {
	roomy()
	d := r.s.d
	defer d.work.Done()
	var in states.Input
	switch eff := eff.(type) {
	case states.Send:
		in = d.send(ctx, eff)
	case states.Ask:
		in = d.askHost(ctx, r, eff)
	case states.Save:
		if d.pause(ctx, eff.NotBefore) {
			ctx, cancel := context.WithTimeout(ctx, storeTime)
			defer cancel()
			in = d.askStore(ctx, eff)
		}
	}
	if in == nil {
		return
	}
	select {
	case r.queue <- heard{in: in, asked: asked}:
	case <-r.done:
	}
}

// answer gives the answer to a question that the loop itself carries out.
func (r *run) answer(eff states.Effect) states.Input {
	if q, ok := eff.(states.Ask); ok {
		return r.s.d.askHost(r.life.store(), r, q)
	}
	return r.s.d.askStore(r.life.store(), eff)
}

// askStore puts a question to the store.
func (d *Driver) askStore(ctx context.Context, eff states.Effect) states.Input {
	switch eff := eff.(type) {
	case states.Load:
		e, err := d.store.Get(ctx, eff.Key)
		if err != nil {
			return storeAnswer(eff.Serial, err)
		}
		return states.Loaded{Serial: eff.Serial, Value: wire.Secret(e.Value), Generation: e.Generation}
	case states.Lease:
		l, err := d.store.Lease(ctx, eff.Key, eff.TTL)
		if err != nil {
			return storeAnswer(eff.Serial, err)
		}
		return states.Leased{Serial: eff.Serial, Fence: l.Fence, TTL: l.TTL}
	case states.Save:
		g, err := d.store.Put(ctx, eff.Key, []byte(eff.Value.Reveal()), eff.Expected, eff.Expires)
		if err != nil {
			return storeAnswer(eff.Serial, err)
		}
		return states.Saved{Serial: eff.Serial, Generation: g}
	case states.Delete:
		if err := d.store.Delete(ctx, eff.Key, eff.Expected); err != nil {
			return storeAnswer(eff.Serial, err)
		}
		return states.Deleted{Serial: eff.Serial}
	case states.Claim:
		if err := d.store.Delete(ctx, eff.Key, eff.Expected); err != nil {
			return storeAnswer(eff.Serial, err)
		}
		return states.Claimed{Serial: eff.Serial}
	}
	return nil
}

// storeAnswer tells a store's answers from its failures.
func storeAnswer(serial uint64, err error) states.Input {
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return states.NotFound{Serial: serial}
	case errors.Is(err, storage.ErrConflict):
		return states.Conflicted{Serial: serial}
	case errors.Is(err, storage.ErrHeld):
		return states.Held{Serial: serial}
	}
	var entry *storage.UnreadableError
	return states.StoreFailed{Serial: serial, Detail: err.Error(), Entry: errors.As(err, &entry)}
}

// pause waits until an instant; false when the context ended first.
func (d *Driver) pause(ctx context.Context, until time.Time) bool {
	wait := until.Sub(d.now())
	if until.IsZero() || wait <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// send carries out one exchange: not before its time, and not after.
func (d *Driver) send(ctx context.Context, s states.Send) states.Input {
	if !d.pause(ctx, s.NotBefore) {
		return nil
	}
	var late func() bool
	if last := s.NotAfter; !last.IsZero() {
		late = func() bool { return !d.now().Before(last) }
		left := last.Sub(d.now())
		if left <= 0 {
			return states.Unreachable{Serial: s.Serial, Class: states.Late, Detail: "the time for it had passed; nothing was sent"}
		}
		s.Timeout = min(s.Timeout, left)
	}
	if d.o.Send != nil {
		return d.o.Send(ctx, s)
	}
	resp, failure := d.guard.Do(ctx, guard.Call{
		Request: s.Request, Timeout: s.Timeout, MaxBody: s.MaxBody, SameOriginHops: s.Hops, Loopback: s.Loopback,
		Late: late,
	})
	if failure == nil {
		return states.Responded{Serial: s.Serial, Response: resp}
	}
	class := states.FailureClass(failure.Class)
	switch failure.Class {
	case guard.ClassBlocked, guard.ClassTLS:
	case guard.ClassLate:
		class = states.Late
	default:
		class = states.Unsent
		if failure.Sent {
			class = states.Lost
		}
	}
	return states.Unreachable{Serial: s.Serial, Class: class, Rule: failure.Rule, Detail: failure.Detail}
}

// atHand says that the answer of the host needs no waiting: an address on this
// machine, or the default.
func (d *Driver) atHand(q states.Ask) bool {
	if q.Question != states.AskRedirect {
		return d.o.Ask == nil
	}
	switch d.host.(type) {
	case Browser, UserAgent, webHost:
		return true
	}
	return false
}

// askHost puts a question to the host.
func (d *Driver) askHost(ctx context.Context, r *run, q states.Ask) states.Input {
	if q.Question == states.AskRedirect {
		b, err := d.host.Bind(ctx, q.Options)
		if err != nil {
			d.log.Warn("no address is listening for the redirect", "err", err)
			return states.Answered{Serial: q.Serial}
		}
		r.mu.Lock()
		old, over := r.binding, r.over
		r.binding = b
		r.mu.Unlock()
		if old != nil {
			_ = old.Close()
		}
		if over {
			_ = b.Close()
			return nil
		}
		return states.Answered{Serial: q.Serial, Value: b.RedirectURI()}
	}
	if d.o.Ask == nil {
		return states.Answered{Serial: q.Serial, Value: q.Default}
	}
	a, err := d.o.Ask(ctx, r.s.account, q)
	if err != nil {
		d.log.Warn("the host did not answer; the default is taken", "question", q.Question, "err", err)
		return states.Answered{Serial: q.Serial, Value: q.Default}
	}
	a.Serial = q.Serial
	return a
}

// tell reports a step to logger and observer.
func (d *Driver) tell(a Account, at time.Time, from *fsm.Machine, in states.Input, res *fsm.Result) {
	if d.o.Observe != nil {
		d.o.Observe(Step{Account: a, At: at, From: *from, Input: in, Result: *res})
	}
	ctx := context.Background()
	if d.log.Enabled(ctx, slog.LevelDebug) {
		d.log.Debug("step", "server", a.Server, "from", from.State, "event", res.Event, "to", res.Machine.State)
	}
	for _, e := range res.Effects {
		switch e := e.(type) {
		case states.Note:
			d.log.Info("noted", "server", a.Server, "rule", e.Finding.Rule, "detail", e.Finding.Detail)
		case states.Report:
			d.log.Warn("authorization failed", "server", a.Server, "state", e.Fault.State, "fault_of", e.Fault.Party, "err", e.Fault.Error())
		}
	}
}
