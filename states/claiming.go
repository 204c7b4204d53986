package states

// Claiming: the user came back, and one replica continues with the callback.
const Claiming State = "Claiming"

var claimingRoom = []about{{
	state: Claiming, group: groupLogin, doing: "reading the authorization response",
	says: "The parked login is claimed, so that only one replica continues with the callback.",
	enter: func(d *Data) []Effect {
		return []Effect{Claim{Serial: d.Serial, Key: d.Config.LoginKey(StateHash(d.Flow.State)), Expected: d.Flow.Login}}
	},
	holds: loginDrawn,
}}
