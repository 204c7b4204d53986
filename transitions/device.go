package transitions

import (
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
	k.WakeAt = k.Flow.Device.Next
	if k.WakeAt.After(k.Flow.Deadline) {
		k.WakeAt = k.Flow.Deadline
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

// remarkingDevice: the login continues, whether the mark was renewed or not.
func remarkingDevice(k *step) Event {
	f := k.flow()
	switch in := k.in.(type) {
	case states.Cancelled:
		return k.cancelled(Cancelled)
	case states.Saved:
		f.Mark = in.Generation
		k.wakeToPoll()
		return MarkRenewed
	case states.Conflicted, states.StoreFailed:
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
