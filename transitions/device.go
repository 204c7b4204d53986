package transitions

import (
	"errors"
	"slices"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Device: which code the user is shown, a new one or one that is parked.

// deviceClient tries the ways to get a client id in order (#t5), without a redirect.
func (k *step) deviceClient() Event {
	f := k.flow()
	f.Requested = k.withOffline(f.Scopes)
	switch {
	case f.Client.ID == "" && k.canRegister():
		return RegistrationWanted
	case f.Client.ID == "":
		return k.clientMissing(rules.RegAskUser, "the issuer offers no registration of clients, and none is configured")
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
// address will do; a loopback one without a port names none.
func (k *step) deviceInstead() bool {
	c, at := k.Config, k.Flow.Server
	named := func(r string) bool { return !states.AnyPort(r) }
	return c.Shows && c.Grant == states.CodeGrant && c.Key == nil && !slices.ContainsFunc(c.Redirects, named) &&
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
	if on := k.clientOfDeviceRefused(bad); on != Illegal {
		return on
	}
	return k.fail(DeviceRefused, states.PartyPeer, *bad)
}

// clientOfDeviceRefused: the issuer does not accept the client. If the issuer gave the
// client itself, a new one is registered, once.
func (k *step) clientOfDeviceRefused(bad *wire.Problem) Event {
	if bad.OAuth == nil || bad.OAuth.Code != wire.CodeInvalidClient && bad.OAuth.Code != wire.CodeUnauthorizedClient {
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

// deviceGranted notes an issuer that does not list the grant.
func (k *step) deviceGranted() {
	if g := k.Flow.Server.GrantTypes; g != nil && !slices.Contains(g, wire.DeviceGrant) {
		k.note(wire.Finding{Rule: rules.ExtDeviceNotCore, Detail: "grant_types_supported does not list the device grant"})
	}
}
