package httpdriver

import (
	"context"
	"net/http"
	"time"

	"github.com/stile-oauth/stile/states"
)

// take takes the effects of the machine. It carries out statements at once; the loop
// asks the questions, one after the other.
func (r *run) take(eff states.Effect) {
	switch e := eff.(type) {
	case states.Wake:
		wait := e.At.Sub(r.s.d.now())
		if r.m.State != states.Authorized {
			r.alarms.wake.set(r.patience(wait))
		} else if wait <= 0 && (r.want.background || r.m.Data.Challenge != nil) {
			// There is a challenge to handle, or this run is for the renewal. Other runs have
			// callers that wait, and a token that is still valid.
			r.statements = append(r.statements, states.Ticked{})
		}
	case states.Grant:
		r.grant(e)
	case states.Report:
		r.fault = &e.Fault
		if r.slot.endpoint != nil && inTrouble(e.Fault) {
			r.slot.endpoint.failed(r.fault, r.s.d.now())
		}
	case states.Release:
		r.release(e)
	case states.Show:
		r.show(e)
	case states.Note:
	default:
		r.questions = append(r.questions, eff)
	}
}

// grant hands a token out.
func (r *run) grant(e states.Grant) {
	resource := ""
	if t := r.m.Data.Token(); t != nil {
		resource = t.Resource
	}
	if o := r.m.Data.Obtained; o != nil {
		resource = o.Resource
	}
	r.granted = r.s.grant(e, r.s.d.configs.reach(r.m.Data.Config, resource))
	if early := r.early.Load(); !states.Resting(r.m.State) && (early == nil || early.token == nil) {
		unsaved := r.m.State == states.Resaving
		r.hand(&outcome{token: r.granted, requested: r.requested(), unsaved: unsaved, outdone: make(chan struct{})})
		if !unsaved {
			r.reply(loggedIn) // the login is over; what follows is no concern of the user's
		}
	}
}

// put asks a question and gives its answer; nil if the answer comes through the queue,
// or if there will be none.
func (r *run) put(q states.Effect) states.Input {
	switch q := q.(type) {
	case states.Send:
		return r.exchange(q)
	case states.Sign:
		return r.sign(q)
	case states.Assert:
		return r.assert(q)
	case states.Visit:
		return r.goVisit(q)
	case states.Ask:
		return r.askHost(q)
	case states.Load:
		if r.lookup.turn != nil && q.Key == r.lookup.turn.key {
			return r.lookForClient(q)
		}
	case states.Lease:
		r.slot.askedAt = r.s.d.now()
		if r.slot.refused = r.slot.endpoint.admit(r.slot.askedAt); r.slot.refused != nil {
			return nil
		}
	case states.Save, states.Delete, states.Claim: // the store's alone
	case states.Release, states.Wake, states.Grant, states.Report, states.Note, states.Show: // no questions
	}
	return r.askStore(q)
}

// exchange carries out an exchange. An input that arrives in the meantime ends it if
// the machine would continue without its answer.
func (r *run) exchange(q states.Send) states.Input {
	s := r.s
	s.mu.Lock()
	if r.cancelled.Load() && !r.cancelHeard {
		s.mu.Unlock()
		r.questions = append(r.questions, q) // the machine is told first
		return nil
	}
	switch {
	case r.cancelHeard:
		// Ended by the limit of the run.
		r.exchanging, r.shared.endExchange = context.WithDeadline(context.Background(), r.limit)
	case r.exchanging == nil || r.exchanging.Err() != nil:
		r.exchanging, r.shared.endExchange = context.WithCancel(context.Background())
	}
	r.shared.inExchange = true
	s.mu.Unlock()
	until, in := r.over(q)
	if in == nil {
		in = r.carryOut(q, until)
	}
	if resp, ok := in.(states.Responded); ok && renews(r.m.State) && !overloaded(resp.Response.Status) {
		r.slot.endpoint.answered()
	}
	s.mu.Lock()
	r.shared.inExchange = false
	s.mu.Unlock()
	return in
}

// refresh sends a refresh. Very many runs may wait for an answer, so little memory is
// kept while waiting.
func (r *run) refresh() {
	q := r.questions[0]
	r.sending, r.questions = false, r.questions[1:]
	r.storing.end()
	r.answered = r.put(q)
}

// overloaded reports whether a status says nothing about the request, and means that the
// server may answer it later.
func overloaded(status int) bool {
	return status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
}

// renews reports whether a token endpoint is asked for another token.
func renews(s states.State) bool {
	return s == states.Refreshing || s == states.Renewing || s == states.PresentingAgain || s == states.RedeemingAgain
}

// inTrouble reports whether a fault is that of a token endpoint that may answer later,
// for any account.
func inTrouble(f states.Fault) bool {
	return f.Transient && (renews(f.State) || f.State == states.RereadingToRefresh)
}

// cancel says that the run is no longer wanted; because is the reason that its end
// gives. session.mu is held.
func (r *run) cancel(because error) {
	if r.cancelled.Swap(true) {
		return
	}
	r.shared.because = because
	r.endQueueing()
	r.interrupt(states.Cancelled{})
	if r.shared.inExchange {
		time.AfterFunc(finishing, r.shared.endExchange)
	}
	r.pass(nil)
}

// carryOut carries out an exchange, or uses that of another login if the document may
// be shared.
func (r *run) carryOut(q states.Send, until time.Time) states.Input {
	send := func() states.Input {
		defer r.noticeSlow(q)()
		return r.s.d.send(r.exchanging, q, until)
	}
	if s := r.m.State; s != states.DiscoveringPRM && s != states.DiscoveringASM {
		return send()
	}
	key := documentKey(r.s.account.Tenant, q)
	r.lookup.fetched = append(r.lookup.fetched, key)
	return r.s.d.documents.fetch(r.exchanging, key, r.lookup.began, until, r.m.Data.Token() == nil, q, send)
}

// interrupt ends the exchange under way if the machine, after the input in, would not
// wait for its answer. session.mu is held.
func (r *run) interrupt(in states.Input) {
	if r.shared.inExchange && !r.s.d.holds(r.m, in) {
		r.shared.endExchange()
	}
}

// hostQuestion is a question to the host that is answered outside the loop.
type hostQuestion struct{ cancel context.CancelFunc }

func (q *hostQuestion) end() {
	if q != nil {
		q.cancel()
	}
}

// askHost asks the host a question: directly if the answer is at hand, otherwise outside
// the loop, and the machine takes the default when the time is up.
func (r *run) askHost(q states.Ask) states.Input {
	d := r.s.d
	if d.atHand(q) {
		in, l := d.answerOfHost(r.storing.get(), r.s.account, q)
		r.bound(l)
		return in
	}
	r.endTurn() // it may take as long as a user does
	r.alarms.wake.set(q.Deadline.Sub(d.now()))
	ctx, cancel := context.WithCancel(context.Background())
	r.beside = &hostQuestion{cancel}
	r.clock.follow(true, true)
	d.work.Add(1)
	go func() {
		defer d.work.Done()
		defer cancel()
		in, l := d.answerOfHost(ctx, r.s.account, q)
		select {
		case r.queue <- message{in: in, listener: l}:
		case <-r.done:
			if l != nil {
				closeListener(l)
			}
		}
		select {
		case <-r.done: // perhaps before the message was queued, so that nobody took it
			r.drain()
		default:
		}
	}()
	return nil
}

// bound takes the address that listens for the redirect, if there is a new one, and closes an
// earlier one.
func (r *run) bound(l Listener) {
	if l == nil {
		return
	}
	if r.listener != nil {
		closeListener(r.listener)
	}
	r.listener = l
}

// atHand says that the answer of the host needs no waiting, because it is an address on
// this machine, or the default.
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

// answerOfHost asks the host. For AskRedirect, it also returns the address that the host
// has bound, even if it cannot be used, so that it is closed at the end.
func (d *Driver) answerOfHost(ctx context.Context, a Account, q states.Ask) (states.Input, Listener) {
	if q.Question == states.AskRedirect {
		var l Listener
		var uri string
		err := contain("Host.Bind", func() error {
			bound, err := d.host.Bind(ctx, q.Options)
			if err != nil {
				return err
			}
			l = bound
			uri = l.RedirectURI()
			return nil
		})
		if err != nil {
			d.log.Warn("no address is listening for the redirect", "err", err)
		}
		return states.Answered{Serial: q.Serial, Value: uri}, l
	}
	given := states.Answered{Value: q.Default}
	if d.o.Ask != nil {
		err := contain("Options.Ask", func() error {
			answer, err := d.o.Ask(ctx, a, q)
			if err == nil {
				given = answer
			}
			return err
		})
		if err != nil {
			d.log.Warn("the host did not answer; the default is taken", "question", q.Question, "err", err)
		}
	}
	given.Serial = q.Serial
	return given, nil
}
