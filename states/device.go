package states

import (
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

// Device: the user decides at another device, with a code that is shown to them (RFC
// 8628). Nothing listens here and no browser is opened; the issuer is asked repeatedly
// whether the user has decided.
const (
	StartingDevice  State = "Starting-Device"
	AwaitingUser    State = "Awaiting-User"
	RemarkingDevice State = "Remarking-Device"
	SigningToPoll   State = "Signing-To-Poll"
	Polling         State = "Polling"
)

var deviceRoom = []about{
	{
		state: StartingDevice, group: groupLogin, doing: "asking for a code for the user",
		says: "The issuer is asked for a code that the user types at another device.",
		enter: func(d *Data) []Effect {
			f := d.Flow
			return []Effect{post(d, wire.DeviceRequest(wire.TokenParams{
				Endpoint: f.Server.DeviceEndpoint, Client: f.Client, Scopes: f.Requested, Resource: f.Resource,
			}))}
		},
		holds: all(issuerFound, func(d *Data) string {
			return unless(d.Flow.Client.ID != "" && d.Flow.Server.DeviceEndpoint != "", "there is no client, or nothing to ask")
		}),
	},
	{
		state: AwaitingUser, group: groupLogin, doing: "waiting for the user",
		says:  "The code is shown, and the user decides at another device.",
		enter: func(d *Data) []Effect { return []Effect{show(d), Wake{At: d.WakeAt}} },
		holds: all(issuerFound, deviceStarted),
	},
	{
		state: RemarkingDevice, group: groupLogin, doing: "waiting for the user",
		says: "While the user decides, the mark of the login is renewed.",
		enter: func(d *Data) []Effect {
			m := d.ownMark()
			return []Effect{show(d), Save{
				Serial: d.Serial, Key: d.Config.MarkKey(), Value: mustEncode(&m), Expected: d.Flow.Mark, Expires: d.Flow.MarkUntil,
			}}
		},
		holds: all(issuerFound, deviceStarted),
	},
	{
		state: SigningToPoll, group: groupLogin, doing: "signing for the token request",
		says:  "The proof is signed for the request that asks whether the user has decided.",
		enter: func(d *Data) []Effect { return append([]Effect{show(d)}, signInLogin(d)...) },
		holds: all(issuerFound, deviceStarted, toSign(clientOfLogin)),
	},
	{
		state: Polling, group: groupLogin, doing: "asking whether the user has decided",
		says: "The issuer is asked whether the user has decided.",
		enter: func(d *Data) []Effect {
			f := d.Flow
			return []Effect{show(d), post(d, wire.PollRequest(wire.TokenParams{
				Endpoint: f.Server.TokenEndpoint, Client: f.Client, Code: f.Device.Code, Resource: f.Resource, Proof: d.proof(),
			}))}
		},
		holds: all(issuerFound, deviceStarted, proven),
	},
}

// Device is what an issuer gave for a user who decides at another device.
type Device struct {
	wire.Device
	// Next is when the issuer is asked next whether the user has decided.
	Next time.Time `json:"next"`
}

// Show says what to show the user until the login has ended: the address, and the code to
// enter there. Complete, if there is one, is an address that contains the code; the code is
// shown beside it nevertheless (rule ext-device-verification-uri).
type Show struct {
	URL, Complete string
	UserCode      wire.Secret
	Issuer        string
	Deadline      time.Time
}

func (Show) effect() {}

func show(d *Data) Show {
	f := d.Flow
	return Show{URL: f.Device.URL, Complete: f.Device.Complete, UserCode: f.Device.UserCode, Issuer: f.Server.Issuer, Deadline: f.Deadline}
}

func deviceStarted(d *Data) string {
	return unless(d.Flow.Device != nil && d.Flow.Device.Code != "", "the issuer gave no code")
}
