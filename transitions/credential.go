package transitions

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

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

// readRegistration decodes a stored registration. If reg is nil, it cannot be read, and the
// event says so.
func (k *step) readRegistration(in states.Loaded) (reg *states.Registration, on Event) {
	reg, err := states.DecodeRegistration(in.Value)
	if err != nil {
		k.fail(RecordUnreadable, states.PartyStore, wire.Problem{Rule: rules.StoreVersioned, Detail: err.Error()})
		return nil, k.final(RecordUnreadable)
	}
	return reg, Illegal
}

// reloaded reads the answer of the store when a refresh reads the credential again. A
// newer record is adopted. If rec is nil, the event says what follows.
func (k *step) reloaded() (rec *states.Credential, at states.Generation, on Event) {
	switch in := k.in.(type) {
	case states.Loaded:
		rec, on = k.read(in)
		if rec != nil && k.newer(rec) {
			k.adopt(rec, in.Generation)
			return nil, 0, Adopted
		}
		return rec, in.Generation, on
	case states.NotFound:
		return nil, 0, k.gone()
	case states.StoreFailed:
		return nil, 0, k.storeLost(in, StoreLost, StoreLostWhileHolding)
	}
	return nil, 0, Illegal
}

// adopt takes a record that another process wrote, and rests with it.
func (k *step) adopt(rec *states.Credential, g states.Generation) {
	k.take(rec, g)
	k.restAuthorized()
}

// take makes another process's record the held one. Freshness counts from here when the
// stored expiry cannot be right by this process's clock.
func (k *step) take(rec *states.Credential, g states.Generation) {
	k.Record, k.Entry, k.Accepted, k.NoRenew, k.Fault = rec, g, false, false, nil
	k.RenewAfter = time.Time{}
	t := rec.Current
	k.FreshUntil = t.Expires
	k.inherit(t)
	if life := t.Expires.Sub(t.Received); !t.Expires.IsZero() &&
		(!k.at.Before(t.Expires) || t.Expires.After(k.at.Add(life))) {
		k.FreshUntil = k.at.Add(life)
	}
}

// inherit takes over the quirks that a grant's login was made with, so that they hold in
// every process (docs/decisions.md).
func (k *step) inherit(t *states.Token) {
	if k.Config.Strict {
		return
	}
	var more []states.Quirk
	for _, q := range t.Quirks {
		if !k.Config.Has(q.Name) {
			more = append(more, q)
		}
	}
	if len(more) > 0 {
		c := *k.Config
		c.Quirks = append(slices.Clip(c.Quirks), more...)
		k.Config = &c
	}
}

// finished reports whether a newer record is the result that this login wants. If a token
// is held during the login, another process may only have refreshed it; that ends neither
// a step-up nor a login that was asked for.
func (k *step) finished(rec *states.Credential) bool {
	f, held, now := k.Flow, k.Token(), rec.Current
	switch {
	case held == nil:
		return true
	case f.Why == states.WhyRequested:
		return otherLogin(now, held)
	case f.Why == states.WhyStepUp:
		want := f.Requested
		if len(want) == 0 {
			want = f.Scopes
		}
		return wire.Covers(now.Granted, want) ||
			otherLogin(now, held) && wire.Covers(now.Requested, want) && !wire.Covers(held.Requested, want)
	}
	return true
}

// overtaken reports whether a record that a login read is the result of another
// login, which ends this one. Any other record is held from here on.
func (k *step) overtaken(rec *states.Credential, g states.Generation) bool {
	if !k.newer(rec) {
		k.Record, k.Entry = rec, g
		return false
	}
	if k.finished(rec) {
		return true
	}
	k.take(rec, g)
	return false
}

// otherLogin reports whether a grant came from a different login than the held one. If a
// record of an earlier release does not say, the ladder does, as long as the resource has
// not accepted the token.
func otherLogin(now, held *states.Token) bool {
	if now.Login == 0 && held.Login == 0 {
		return now.Climbed.LoggedIn
	}
	return now.Login != held.Login
}

// newer reports whether the record holds a different token from the one that this machine
// has, or that was refused.
func (k *step) newer(rec *states.Credential) bool {
	if rec.Current == nil || !k.Config.Fits(rec.Current) {
		return false
	}
	t := k.Token()
	return (t == nil || rec.Current.Generation != t.Generation) && rec.Current.Generation != k.Rejected
}

// forget: nothing is stored now. What was known of the former token, above all that it
// was refused, does not count for the next one.
func (k *step) forget() {
	k.Record, k.Entry, k.FreshUntil, k.RenewAfter = nil, 0, time.Time{}, time.Time{}
	k.Accepted, k.Rejected, k.NoRenew = false, 0, false
}

// gone: a user logged out; nothing is restored.
func (k *step) gone() Event {
	k.forget()
	k.rest()
	return CredentialGone
}

func (k *step) expired() bool {
	return !k.FreshUntil.IsZero() && !k.at.Before(k.FreshUntil)
}

// newToken is what the response gives, with its absolute expiry (rule
// token-resp-absolute-expiry) and a generation of its own.
func (k *step) newToken(tok wire.Token, requested []string) states.Token {
	t := states.Token{
		Generation: k.nextGeneration(), AccessToken: tok.AccessToken, Type: tok.Type,
		RefreshToken: tok.RefreshToken, Received: k.at, Granted: tok.Scopes, Requested: requested,
	}
	if f := k.Flow; f != nil && (f.Why == states.WhyRequested || k.Record == nil) {
		t.Decided = k.at
	} else if old := k.Token(); old != nil {
		t.Decided = old.Decided
	}
	if k.Config.Identity() {
		t.Grant = states.IdentityGrant
	}
	if tok.Type == "DPoP" {
		t.Thumbprint = k.Config.ProofKey.Thumbprint
	}
	if tok.HasExpiry {
		t.Expires = k.at.Add(tok.ExpiresIn)
	}
	if !tok.HasScope {
		t.Granted = requested
	}
	return t
}

// nextGeneration makes a number that no other token of this credential has or had, also
// before a log out: it is derived from a number that the store gave for something that
// led to this token only, and the store never gives a number twice for a key. For a
// login, that is its mark; for a refresh, the intent. A login without a mark has only the
// number of its parked record, which has another key, so that number is only as unique as
// the store's numbers are among keys.
func (k *step) nextGeneration() states.Generation {
	switch f := k.Flow; {
	case f == nil:
		return k.Entry<<1 | byIntent
	case f.Mark != 0:
		return f.Mark<<2 | byMark
	default:
		return f.Login<<2 | byParked
	}
}

// The kinds of number, distinguished by the remainder of a division by four, so that a
// token of one kind never has the number of a token of another kind.
const (
	byMark   = 0 // of a login with a mark of its own
	byParked = 2 // of a login without one (Config.Concurrent)
	byIntent = 1 // of a refresh, and 3
)

// issued makes the new credential from the token response.
func (k *step) issued(tok wire.Token) Event {
	f := k.Flow
	tok = k.unquotedToken(tok)
	t := k.newToken(tok, f.Requested)
	t.Server, t.Client, t.Resource = f.Server, f.Client, f.Resource
	t.Metadata, t.Listed, t.Revision, t.RedirectURI = f.Metadata, f.Listed, f.Revision, f.RedirectURI
	t.Climbed, t.Login, t.Quirks = f.Climbed, t.Generation, k.Config.Quirks
	if old := k.Token(); t.RefreshToken == "" && k.carries(old, &t) {
		t.RefreshToken = old.RefreshToken
	}
	k.Obtained, k.FreshUntil, k.Accepted, k.NoRenew, k.RefusedClient = &t, t.Expires, false, false, ""
	k.Fault = nil
	if f.Why == states.WhyRequested {
		k.StepUps = 0
	}
	short := wire.WithoutOfflineAccess(wire.Missing(t.Granted, f.Requested))
	if len(short) > 0 {
		k.note(wire.Finding{Rule: rules.TokenRespScopeNarrowed, Detail: "granted without " + wire.Clean(strings.Join(short, " "), 200)})
		return TokenNarrowed
	}
	return TokenIssued
}

func (k *step) refreshed(tok wire.Token) Event {
	old := k.Token()
	tok = k.unquotedToken(tok)
	t := k.newToken(tok, old.Requested)
	if !tok.HasScope {
		t.Granted = old.Granted
	}
	t.Server, t.Client, t.Resource = old.Server, old.Client, old.Resource
	t.Metadata, t.Listed, t.Revision, t.RedirectURI = old.Metadata, old.Listed, old.Revision, old.RedirectURI
	t.Login, t.Quirks = old.Login, old.Quirks
	t.Rotates = old.Rotates || t.RefreshToken != "" && t.RefreshToken != old.RefreshToken
	if t.RefreshToken == "" {
		t.RefreshToken = old.RefreshToken // RFC 6749 §6: a new one is optional
	}
	t.Climbed = states.Ladder{Refreshed: old.Generation == k.Rejected, LoggedIn: k.climbed().LoggedIn}
	if lost := wire.Missing(t.Granted, old.Granted); len(lost) > 0 {
		k.note(wire.Finding{Rule: rules.TokenRespScopeNarrowed, Detail: "refreshed without " + wire.Clean(wire.JoinScope(lost), 200)})
	}
	k.Obtained, k.FreshUntil, k.Accepted = &t, t.Expires, false
	return TokenRefreshed
}
