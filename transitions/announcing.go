package transitions

import (
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

func announcing(k *step) Event {
	switch in := k.in.(type) {
	case states.Saved:
		k.flow().Mark = in.Generation
		return k.announced()
	case states.Conflicted:
		k.flow().Mark = 0
		if k.Tries == 0 && (k.goesOn() || k.Cancelled) {
			return k.markTaken()
		}
		return MarkFound
	case states.StoreFailed:
		return k.unannounced(in)
	case states.Interrupted:
		return k.askedAgain(in)
	}
	return Illegal
}

// recognizing: a mark is there. It says whose it is: after an interruption it may be this
// login's own. It also says since when. A mark with a time far ahead was set by a wrong
// clock and would outlive its process by as much, so it is overwritten.
func recognizing(k *step) Event {
	switch in := k.in.(type) {
	case states.Loaded:
		m := states.DecodeMark(in.Value)
		switch {
		case k.Tries > 0 && k.OwnMark(m):
			k.flow().Mark = in.Generation
			if on := k.announced(); on != Announced {
				return on
			}
			return MarkRecognized
		case k.ahead(m) && !k.Config.Concurrent && !k.Cancelled:
			k.note(wire.Finding{Rule: rules.RegSingleFlight, Detail: "the login that is announced began at a time that lies far ahead: a clock was wrong; it is not waited for"})
			k.flow().Mark, k.Tries = in.Generation, 0
			return MarkAhead
		}
		return k.markTaken()
	case states.NotFound:
		if k.Flow.Gone {
			k.note(wire.Finding{Rule: rules.RegSingleFlight, Detail: "the store says both that a login is announced and that none is; it is asked again later"})
			return k.markTaken()
		}
		k.flow().Gone, k.Tries = true, 0
		return MarkGone
	case states.StoreFailed:
		if in.Entry && !k.Cancelled {
			return k.markTaken() // it will not be there for long
		}
		return k.unannounced(in)
	}
	return Illegal
}

// ahead reports whether a mark was set at a time further ahead than a login can
// last.
func (k *step) ahead(m states.Mark) bool {
	return m.Since.After(k.at.Add(k.Config.UserWait() + states.ParkedGrace))
}

// goesOn reports whether this login goes on although another process has one under way,
// because each of them has a user who may be the one to finish.
func (k *step) goesOn() bool {
	return k.Config.Concurrent && (k.Config.Grant == states.CodeGrant || k.Config.Identity())
}

// markTaken: another process has a login under way.
func (k *step) markTaken() Event {
	k.Tries = 0
	switch {
	case k.goesOn(): // without a mark of its own
		return k.announced()
	case k.Cancelled:
		return k.cancelled(Cancelled)
	}
	k.WakeAt = k.at.Add(pollOther)
	return LoginUnderWay
}

func (k *step) unannounced(in states.StoreFailed) Event {
	on := k.storeLost(in, StoreLost, StoreLostWhileHolding)
	k.Flow = nil
	return on
}

// askedAgain counts an interruption of a question whose answer says what it
// means only when it is known to be the first.
func (k *step) askedAgain(in states.Interrupted) Event {
	k.Seed, k.Draws = in.Seed, 0
	k.Tries++
	return AskedAgain
}

// announced: from here on, other processes wait. What they did before is read next.
func (k *step) announced() Event {
	k.flow().MarkUntil = time.Time{} // it is renewed while the user is waited for
	k.Tries = 0
	if k.Cancelled {
		return k.cancelled(Cancelled)
	}
	return Announced
}

// confirming: a login that another process finished between this one's last
// look and its mark left no mark behind. It is found here, so that no user is asked twice
// (rule reg-single-flight). Whatever is written after this read comes from a process that
// found the mark and did not wait.
func confirming(k *step) Event {
	switch in := k.in.(type) {
	case states.Loaded:
		rec, on := k.read(in)
		if rec == nil {
			return on
		}
		if k.overtaken(rec, in.Generation) {
			k.Adopted, k.Entry = rec, in.Generation
			return LoginAdopted
		}
		return k.confirmed()
	case states.NotFound:
		return k.confirmed()
	case states.StoreFailed:
		return k.storeLost(in, StoreLost, Illegal)
	case states.Cancelled:
		return k.cancelled(Cancelled)
	}
	return Illegal
}

// confirmed begins discovery, or continues with the metadata of the held grant.
func (k *step) confirmed() Event {
	k.anew()
	if k.Config.Identity() {
		return k.providerLogin()
	}
	if k.Config.Device() {
		return DeviceSought
	}
	if !k.known() {
		k.probeResource()
		return StillNeeded
	}
	k.reuse()
	if k.Config.HostDecides(states.AskScopes) {
		return ScopesToChoose
	}
	return MetadataKnown
}

// anew drops what an earlier try of the same login found, because the server may name
// another issuer by now (rule issuer-no-cross-use). What the login must not do twice stays.
func (k *step) anew() {
	f := k.flow()
	f.Server, f.Issuer, f.Legacy, f.Revision = wire.ASM{}, 0, false, k.Config.Revision
	f.Client, f.Registration, f.Filed, f.Unread = wire.Client{}, 0, "", false
}

// known reports whether a step-up may use the metadata of the held grant: the challenge
// names the same document or none, and the grant is not old
// (docs/decision-tables.md#t2-order).
func (k *step) known() bool {
	t, f := k.Token(), k.Flow
	return f.Why == states.WhyStepUp && t != nil && !t.ClientDead && k.Config.Grant == states.CodeGrant && t.Server.AuthorizationEndpoint != "" &&
		(f.Metadata == "" || f.Metadata == t.Metadata) &&
		k.at.Before(t.Received.Add(maxKnown)) &&
		(t.Client.SecretExpires.IsZero() || k.at.Before(t.Client.SecretExpires))
}

// reuse fills the login with the metadata of the held grant.
func (k *step) reuse() {
	t, f := k.Token(), k.flow()
	f.Server, f.Client, f.Resource = t.Server, t.Client, t.Resource
	f.Metadata, f.Listed, f.Revision = t.Metadata, t.Listed, t.Revision
	f.Legacy, f.Binds = t.Server.Defaults, t.Thumbprint != ""
	f.Issuers = []string{t.Server.Issuer}
	f.Scopes = k.scopes()
}

func queuing(k *step) Event {
	switch k.in.(type) {
	case states.Ticked:
		if !k.at.Before(k.WakeAt) {
			return LookAgain
		}
	case states.Cancelled:
		on := k.cancelled(Cancelled)
		k.Flow = nil
		return k.ifHolding(on, CancelledWhileHolding)
	}
	return Illegal
}

func peeking(k *step) Event {
	switch in := k.in.(type) {
	case states.Loaded:
		rec, on := k.read(in)
		if rec == nil {
			k.Flow = nil
			return on
		}
		if k.overtaken(rec, in.Generation) {
			k.adopt(rec, in.Generation)
			return LoginAdopted
		}
		return k.announceAgain()
	case states.NotFound:
		return k.announceAgain()
	case states.StoreFailed:
		on := k.storeLost(in, StoreLost, StoreLostWhileHolding)
		k.Flow = nil
		return on
	case states.Cancelled:
		on := k.cancelled(Cancelled)
		k.Flow = nil
		return k.ifHolding(on, CancelledWhileHolding)
	}
	return Illegal
}

// announceAgain: the mark may be free now. The time spent waiting for other processes does
// not reduce the user's time.
func (k *step) announceAgain() Event {
	f := k.flow()
	f.Gone = false
	f.Since, f.Deadline = k.at, k.at.Add(k.Config.UserWait()+states.ParkedGrace)
	k.Tries = 0
	return StillUnderWay
}

// pollOther is how often the machine looks whether another process has finished its login.
const pollOther = 2 * time.Second

// maxKnown is how long a step-up relies on metadata read earlier.
const maxKnown = 24 * time.Hour
