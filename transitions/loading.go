package transitions

import (
	"errors"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

func loading(k *step) Event {
	switch in := k.in.(type) {
	case states.Loaded:
		rec, on := k.read(in)
		if rec == nil {
			return on
		}
		k.Record, k.Entry, k.Accepted, k.RenewAfter = rec, in.Generation, false, time.Time{}
		t := rec.Current
		if t == nil {
			return k.unheld(CredentialSpent)
		}
		k.FreshUntil = t.Expires
		if k.LoginAsked {
			k.LoginAsked = false
			k.begin("asked", nil)
			return LoginNeeded
		}
		if !k.expired() {
			k.Fault = nil
			k.arrive()
			return CredentialFound
		}
		if t.RefreshToken != "" {
			k.refresh()
			return CredentialExpiring
		}
		return k.unheld(CredentialSpent)
	case states.NotFound:
		k.forget()
		return k.unheld(CredentialMissing)
	case states.StoreFailed:
		return k.storeLost(in, StoreLost, Illegal)
	case states.Cancelled:
		return k.cancelled(Cancelled)
	}
	return Illegal
}

// unheld goes on without a token: to a login when one is asked for or a
// challenge waits, else to rest.
func (k *step) unheld(on Event) Event {
	if k.LoginAsked {
		k.LoginAsked = false
		k.begin("asked", nil)
		return LoginNeeded
	}
	if k.Challenge != nil {
		k.begin("challenge", k.Challenge)
		return LoginNeeded
	}
	k.rest()
	return on
}

// forget: nothing is stored any more. What was known of the token that was
// there, above all that it was refused, is not held against the next one.
func (k *step) forget() {
	k.Record, k.Entry, k.FreshUntil, k.RenewAfter = nil, 0, time.Time{}, time.Time{}
	k.Accepted, k.Rejected, k.NoRenew = false, 0, false
}

func (k *step) expired() bool {
	return !k.FreshUntil.IsZero() && !k.at.Before(k.FreshUntil)
}

// read decodes a stored credential. A record that cannot be read, or that is
// bound to no issuer, is kept as it is, and the event says so.
func (k *step) read(in states.Loaded) (*states.Credential, Event) {
	rec, err := states.DecodeCredential(in.Value)
	switch {
	case err == nil:
		return rec, Illegal
	case errors.Is(err, states.ErrRecordUnbound) && k.state == states.Loading:
		k.fail(RecordUnbound, states.PartyStore, wire.Problem{Rule: rules.IssuerUnboundQuarantine, Detail: err.Error()})
		k.Fault.Transient = false
		return nil, RecordUnbound
	}
	k.fail(RecordUnreadable, states.PartyStore, wire.Problem{Rule: rules.StoreVersioned, Detail: err.Error()})
	k.Fault.Transient = false
	return nil, RecordUnreadable
}

// adopt takes a record that somebody else wrote, and rests with it.
func (k *step) adopt(rec *states.Credential, g states.Generation) {
	k.take(rec, g)
	k.arrive()
}

// take makes a record that somebody else wrote the one that is held. Freshness
// counts from here when the stored expiry cannot be right by this process's
// clock.
func (k *step) take(rec *states.Credential, g states.Generation) {
	k.Record, k.Entry, k.Accepted, k.NoRenew, k.Fault = rec, g, false, false, nil
	k.RenewAfter = time.Time{}
	t := rec.Current
	k.FreshUntil = t.Expires
	if life := t.Expires.Sub(t.Received); !t.Expires.IsZero() &&
		(!k.at.Before(t.Expires) || t.Expires.After(k.at.Add(life))) {
		k.FreshUntil = k.at.Add(life)
	}
}

// finished reports whether a newer record is what this login is about. Where a
// token is held all the while, another process may only have refreshed it: that
// ends neither a step-up nor a login that was asked for.
func (k *step) finished(rec *states.Credential) bool {
	f, held, now := k.Flow, k.Token(), rec.Current
	switch {
	case held == nil:
		return true
	case f.Why == "asked":
		return now.Climbed.LoggedIn
	case f.Why == "step-up":
		want := f.Asked
		if len(want) == 0 {
			want = f.Scopes
		}
		return wire.Covers(now.Granted, want) ||
			now.Climbed.LoggedIn && wire.Covers(now.Requested, want) && !wire.Covers(held.Requested, want)
	}
	return true
}

// newer reports whether the record holds another token than the one this
// machine has, or had refused.
func (k *step) newer(rec *states.Credential) bool {
	if rec.Current == nil {
		return false
	}
	t := k.Token()
	return (t == nil || rec.Current.Generation != t.Generation) && rec.Current.Generation != k.Rejected
}
