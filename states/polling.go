package states

import "github.com/stile-oauth/stile/states/wire"

// Polling: the code is shown, and the issuer is asked repeatedly whether the user has
// decided (RFC 8628 §3.4).
const (
	AwaitingUser    State = "Awaiting-User"
	RemarkingDevice State = "Remarking-Device"
	SigningToPoll   State = "Signing-To-Poll"
	Polling         State = "Polling"
)

var pollingRoom = []about{
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
			send := post(d, wire.PollRequest(wire.TokenParams{
				Endpoint: f.Server.TokenEndpoint, Client: f.Client, Code: f.Device.Code, Resource: f.Resource, Proof: d.proof(),
			}))
			send.NotAfter = f.MarkUntil // then another process may ask
			return []Effect{show(d), send}
		},
		holds: all(issuerFound, deviceStarted, proven),
	},
}
