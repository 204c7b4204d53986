package transitions

import (
	"errors"
	"slices"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Device: what the answers to a poll mean (docs/grants.md#polling).

// The limits of polling that this project chose.
const (
	slowDown    = 5 * time.Second // RFC 8628 §3.5
	maxInterval = time.Minute
)

// deviceClient tries the ways to get a client id in order (#t5), without a redirect.
func (k *step) deviceClient() Event {
	f := k.flow()
	f.Requested = k.withOffline(f.Scopes)
	k.Tries = 0
	switch {
	case f.Client.ID == "" && k.canRegister():
		return RegistrationWanted
	case f.Client.ID == "":
		return k.clientMissing(rules.RegAskUser, "the issuer registers no clients by itself, and none is configured")
	case f.Client.Method == "" || f.Client.Source == wire.SourceConfigured:
		if on := k.chooseMethod(); on != Illegal {
			return on
		}
	}
	return DeviceWanted
}

// recoveringDevice looks whether an earlier process of the account was given a code that is
// still good. This process has the mark, so it is the only one that asks the issuer.
func recoveringDevice(k *step) Event {
	switch in := k.in.(type) {
	case states.Loaded:
		l, err := states.DecodeDeviceLogin(in.Value)
		switch {
		case errors.Is(err, states.ErrRecordVersion):
			k.flow().Login = 0
			k.note(wire.Finding{Rule: rules.StoreVersioned, Detail: "the parked code is of another release; it is left alone"})
		case err == nil && k.resumable(&l):
			k.resumeDevice(l.Flow, in.Generation)
			return CodeResumed
		default:
			k.flow().Login = in.Generation // what is parked next takes its place
		}
	case states.NotFound:
		k.flow().Login = 0
	case states.StoreFailed:
		return k.storeLost(in, StoreLost, Illegal)
	case states.Cancelled:
		return k.cancelled(Cancelled)
	default:
		return Illegal
	}
	if f := k.flow(); f.Device != nil { // of a login whose mark was gone: it begins anew
		*f = states.Flow{
			Why: f.Why, Since: f.Since, Mark: f.Mark, Login: f.Login, NewClient: f.NewClient, Revision: k.Config.Revision, Climbed: f.Climbed,
			Metadata: f.Metadata, Named: f.Named, Unusable: f.Unusable, Scopes: f.Scopes, Challenged: f.Challenged,
			Deadline: k.at.Add(k.Config.UserWait() + states.ParkedGrace),
		}
	}
	k.probeResource()
	return StillNeeded
}

// resumable reports whether a parked code belongs to the login that is wanted now: the code
// is good, nothing was stored since, and issuer, client and scopes are those that this
// process would ask for.
func (k *step) resumable(l *states.DeviceLogin) bool {
	f, p, c := k.Flow, l.Flow, k.Config
	issuer := p.Server.Issuer
	switch {
	case l.Entry != k.Entry, !k.at.Before(p.Deadline), f.NewClient:
		return false
	case len(c.Issuers) > 0 && !slices.Contains(c.Issuers, issuer):
		return false
	case c.Client != nil:
		if p.Client.ID != c.Client.ID || c.Client.Issuer != "" && c.Client.Issuer != issuer {
			return false
		}
	case p.Client.Source == wire.SourceConfigured:
		return false
	}
	if p.Client.Key != "" && p.Client.Key != k.keyName() {
		return false
	}
	return wire.Covers(p.Requested, wire.Union(f.Scopes, wire.Union(c.Scopes, k.Wanted)))
}

// resumeDevice goes on with a parked code. When the issuer was asked last is not known, so a
// whole interval passes first.
func (k *step) resumeDevice(parked *states.Flow, g states.Generation) {
	f, p := k.flow(), *parked
	p.Why, p.Since, p.Mark, p.Climbed, p.Login = f.Why, f.Since, f.Mark, f.Climbed, g
	p.MarkUntil = f.Since.Add(states.MarkLife)
	*f = p
	k.Tries = 0
	k.pollNext()
}

// parkingDevice: a login whose code cannot be stored goes on, and ends with this process.
func parkingDevice(k *step) Event {
	f := k.flow()
	switch in := k.in.(type) {
	case states.Cancelled:
		return k.cancelled(Cancelled)
	case states.Saved:
		f.Login = in.Generation
		k.wakeToPoll()
		return CodeParked
	case states.Conflicted, states.StoreFailed:
		f.Login = 0
		k.note(wire.Finding{Rule: rules.ExtDeviceResponse, Detail: "the code could not be stored: no other process can go on with this login"})
		k.wakeToPoll()
		return CodeUnparked
	}
	return Illegal
}

// deviceDone: a login at another device that was parked removes what was parked, because the
// code is spent.
func (k *step) deviceDone(on Event) Event {
	if f := k.Flow; f != nil && f.Device != nil && f.Device.Code != "" && f.Login != 0 {
		return CodeSpent
	}
	return on
}

// deviceInstead reports whether a login may continue at another device because nothing
// can listen for its redirect. If the host names the address of the redirect, only that
// address will do.
func (k *step) deviceInstead() bool {
	c, at := k.Config, k.Flow.Server
	return c.Shows && c.Grant == states.CodeGrant && c.Key == nil && len(c.Redirects) == 0 &&
		at.DeviceEndpoint != "" && (at.GrantTypes == nil || slices.Contains(at.GrantTypes, wire.DeviceGrant))
}

// toDevice continues at another device, with the client that is configured or registered
// for that.
func (k *step) toDevice() Event {
	k.note(wire.Finding{Rule: rules.ExtDeviceNotCore, Detail: "nothing can listen for a redirect here; the user decides at another device"})
	f := k.flow()
	f.AtDevice = true
	if f.Client.Source == wire.SourceConfigured {
		return k.deviceClient()
	}
	f.Client, f.Registration, f.Filed = wire.Client{}, 0, ""
	return DeviceInstead
}

func startingDevice(k *step) Event {
	f := k.flow()
	switch in := k.in.(type) {
	case states.Cancelled:
		return k.cancelled(Cancelled)
	case states.Responded:
		dev, found, bad := wire.ParseDevice(in.Response, wire.URLPolicy{AllowLoopbackHTTP: k.Config.Loopback})
		k.note(found...)
		if bad == nil {
			f.Device = &states.Device{Device: dev}
			f.Deadline = k.at.Add(min(dev.ExpiresIn, k.Config.UserWait()))
			k.Tries, f.MarkUntil = 0, f.Since.Add(states.MarkLife)
			k.pollNext()
			return DeviceStarted
		}
		return k.deviceRefused(in.Response, bad)
	case states.Unreachable:
		p, refused := unanswered(in)
		switch {
		case refused:
			return k.fail(DeviceRefused, partyOf(p), p)
		case k.again(retriesPost, nil):
			return DeviceTrouble
		}
		return k.inTrouble(DeviceUnreachable, partyInTrouble(p), p)
	}
	return Illegal
}

func (k *step) deviceRefused(r wire.Response, bad *wire.Problem) Event {
	trouble, detail := k.troubled(r, bad)
	switch {
	case trouble && k.again(retriesPost, &r):
		return DeviceTrouble
	case trouble:
		return k.inTrouble(DeviceUnreachable, states.PartyPeer, detail)
	}
	bad = basicRefusal(r, bad)
	if on := k.clientOfDeviceRefused(bad); on != Illegal {
		return on
	}
	return k.fail(DeviceRefused, states.PartyPeer, *bad)
}

// clientOfDeviceRefused: the issuer does not accept the client. If the issuer gave the
// client itself, a new one is registered, once.
func (k *step) clientOfDeviceRefused(bad *wire.Problem) Event {
	if bad.OAuth == nil || bad.OAuth.Code != "invalid_client" && bad.OAuth.Code != "unauthorized_client" {
		return Illegal
	}
	f := k.flow()
	if other, ok := wire.OtherMethod(f.Client, f.Server.AuthMethods); ok {
		f.Client = other
		return MethodRetried
	}
	if k.state == states.StartingDevice && dynamic(f.Client) && f.Registration != 0 && f.Refused == "" && k.canRegister() {
		f.Refused, k.Tries = f.Client.ID, 0
		return ClientUnknown
	}
	return k.fail(ClientRefused, partyOfClient(f.Client), *ofCode(bad, f.Client))
}

// pollNext sets when the issuer is asked next, and when the machine is woken.
func (k *step) pollNext() {
	f := k.flow()
	d := *f.Device
	d.Next = k.at.Add(d.Interval)
	f.Device = &d
	k.wakeToPoll()
}

func (k *step) wakeToPoll() {
	f := k.Flow
	k.WakeAt = f.Device.Next
	if mark := f.MarkUntil.Add(renewMark - states.MarkLife); mark.After(k.at) && mark.Before(k.WakeAt) {
		k.WakeAt = mark // a mark that runs out lets another process ask as well
	}
	if k.WakeAt.After(f.Deadline) {
		k.WakeAt = f.Deadline
	}
}

// slower lengthens the interval permanently.
func (k *step) slower(by time.Duration) {
	f := k.flow()
	d := *f.Device
	d.Interval = min(d.Interval+by, max(maxInterval, d.Interval))
	f.Device = &d
}

func awaitingUser(k *step) Event {
	switch k.in.(type) {
	case states.Cancelled:
		return k.cancelled(Cancelled)
	case states.Ticked:
		f := k.flow()
		switch {
		case !k.at.Before(f.Deadline):
			return k.deviceExpired()
		case !k.at.Before(f.MarkUntil.Add(renewMark - states.MarkLife)):
			f.MarkUntil = k.at.Add(states.MarkLife)
			return MarkDue
		case !k.at.Before(f.Device.Next):
			return k.orProve(PollDue, f.Client)
		}
	}
	return Illegal
}

func (k *step) deviceExpired() Event {
	return k.fail(LoginExpired, states.PartyUser, wire.Problem{Rule: rules.ExtDeviceEnd, Detail: "nobody entered the code in time"})
}

// remarkingDevice: if the mark is gone, another process may have gone on with the parked
// code. This one announces its login again, and waits if it has.
func remarkingDevice(k *step) Event {
	f := k.flow()
	switch in := k.in.(type) {
	case states.Cancelled:
		return k.cancelled(Cancelled)
	case states.Saved:
		f.Mark = in.Generation
		k.wakeToPoll()
		return MarkRenewed
	case states.Conflicted:
		if f.Login == 0 { // nobody else can go on with it
			k.wakeToPoll()
			return MarkLost
		}
		f.Mark, f.Since, k.Tries = 0, k.at, 0
		return PollerReplaced
	case states.StoreFailed:
		k.wakeToPoll()
		return MarkLost
	}
	return Illegal
}

func signingToPoll(k *step) Event { return k.signInLogin() }

func polling(k *step) Event {
	f := k.flow()
	switch in := k.in.(type) {
	case states.Cancelled:
		k.Cancelled = true
		return CancelNoted
	case states.Responded:
		tok, found, bad := wire.ParseToken(in.Response, k.tokenPolicy(f.Server.Issuer))
		k.note(found...)
		k.heard(in.Response)
		if bad == nil {
			return k.issued(tok)
		}
		return k.polled(in.Response, bad)
	case states.Unreachable:
		p, refused := unanswered(in)
		if refused {
			return k.fail(ExchangeRefused, partyOf(p), p)
		}
		if in.Class == states.Late { // this process stood still, and its mark has run out
			return k.pollOn(PollPending, 0)
		}
		return k.pollOn(PollTrouble, f.Device.Interval)
	case states.Interrupted:
		k.Seed, k.Draws = in.Seed, 0
		return k.orProve(AskedAgain, f.Client)
	}
	return Illegal
}

// polled decides by the error code (RFC 8628 §3.5).
func (k *step) polled(r wire.Response, bad *wire.Problem) Event {
	f := k.flow()
	if trouble, _ := k.troubled(r, bad); trouble {
		return k.pollOn(PollTrouble, f.Device.Interval)
	}
	bad = basicRefusal(r, bad)
	if bad.OAuth == nil {
		return k.fail(TokenRefused, states.PartyPeer, *bad)
	}
	on, bad, _ := k.aboutProof(r, bad, f.Client)
	if on != Illegal {
		return on
	}
	switch bad.OAuth.Code {
	case "authorization_pending":
		return k.pollOn(PollPending, 0)
	case "slow_down":
		return k.pollOn(PollSlowed, slowDown)
	case "expired_token":
		return k.deviceExpired()
	case "access_denied":
		bad.Rule = rules.AuthzRespDeniedKeeps
		return k.fail(AuthorizationDenied, states.PartyUser, *bad)
	}
	switch on := k.clientOfDeviceRefused(bad); on {
	case Illegal:
		return k.fail(ExchangeRefused, states.PartyPeer, *bad)
	case MethodRetried:
		return k.orProve(on, k.Flow.Client)
	default:
		return on
	}
}

// pollOn continues to wait, unless nobody waits any more.
func (k *step) pollOn(on Event, slower time.Duration) Event {
	if k.Cancelled {
		return k.cancelled(Cancelled)
	}
	k.slower(slower)
	k.pollNext()
	return on
}

// deviceGranted notes an issuer that does not list the grant.
func (k *step) deviceGranted() {
	if g := k.Flow.Server.GrantTypes; g != nil && !slices.Contains(g, wire.DeviceGrant) {
		k.note(wire.Finding{Rule: rules.ExtDeviceNotCore, Detail: "grant_types_supported does not list the device grant"})
	}
}
