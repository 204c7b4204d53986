package states

// Claiming: the user came back; one replica goes on with the callback.
const Claiming State = "Claiming"

var claimingRoom = []about{{
	state: Claiming, group: groupLogin, doing: "reading the authorization response",
	says: "The parked login is claimed: one replica only goes on with the callback.",
	enter: func(d *Data) []Effect {
		return []Effect{Claim{Serial: d.Serial, Key: d.Config.LoginKey(StateHash(d.Flow.State)), Expected: d.Flow.Login}}
	},
	holds: loginDrawn,
}}
