package httpdriver

import (
	"context"
	"log/slog"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// send carries out one exchange, unless it is too late for it. It ends at until, if that is
// set.
func (d *Driver) send(ctx context.Context, s states.Send, until time.Time) states.Input {
	var late func() bool
	if last := s.NotAfter; !last.IsZero() {
		late = func() bool { return !d.now().Before(last) }
		left := last.Sub(d.now())
		if left <= 0 {
			return states.Unreachable{Serial: s.Serial, Class: states.Late, Detail: "the time for it had passed; nothing was sent"}
		}
		if end := time.Now().Add(left); until.IsZero() || end.Before(until) {
			until = end
		}
	}
	if d.o.Send != nil {
		if !until.IsZero() {
			s.Timeout = min(s.Timeout, time.Until(until))
		}
		return d.sendByHost(ctx, s)
	}
	var resp wire.Response
	var failure *guard.Error
	if err := contain("Options.WrapTransport", func() error {
		resp, failure = d.guard.Do(ctx, guard.Call{
			Request: s.Request, Timeout: s.Timeout, MaxBody: s.MaxBody, SameOriginHops: s.Hops, Loopback: s.Loopback,
			Late: late, Until: until,
		})
		return nil
	}); err != nil {
		return d.failedInHost(s, err)
	}
	if failure == nil {
		return states.Responded{Serial: s.Serial, Response: resp}
	}
	class := states.FailureClass(failure.Class)
	switch failure.Class {
	case guard.ClassBlocked, guard.ClassTLS, guard.ClassLate:
	default:
		class = states.Unsent
		if failure.Sent {
			class = states.Lost
		}
	}
	return states.Unreachable{Serial: s.Serial, Class: class, Rule: failure.Rule, Detail: failure.Detail}
}

// sendByHost is send by Options.Send. If that panics or gives no answer, the request may
// have been sent.
func (d *Driver) sendByHost(ctx context.Context, s states.Send) (in states.Input) {
	err := contain("Options.Send", func() error { in = d.o.Send(ctx, s); return nil })
	if err != nil || in == nil {
		return d.failedInHost(s, err)
	}
	return in
}

func (d *Driver) failedInHost(s states.Send, err error) states.Input {
	d.log.Error("an exchange failed in the host", "err", err)
	return states.Unreachable{Serial: s.Serial, Class: states.Lost, Detail: "the host's own transport failed"}
}

// step moves a machine.
func (d *Driver) step(m fsm.Machine, at time.Time, in states.Input) (fsm.Result, error) {
	e := d.engines.Get().(*fsm.Engine)
	defer d.engines.Put(e)
	return e.StepResult(m, at, in)
}

// holds reports whether a machine stays in its state after the input in, still waiting for
// the answer to its question.
func (d *Driver) holds(m fsm.Machine, in states.Input) bool {
	res, err := d.step(m, d.now(), in)
	return err != nil || res.Held
}

// tell reports a step to logger and observer.
func (d *Driver) tell(a Account, at time.Time, from *fsm.Machine, in states.Input, res *fsm.Result) {
	if d.o.Observe != nil {
		if err := contain("Options.Observe", func() error {
			d.o.Observe(Step{Account: a, At: at, From: *from, Input: in, Result: *res})
			return nil
		}); err != nil {
			d.log.Error("a step was not observed", "err", err)
		}
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
		default: // the others need nothing here
		}
	}
}
