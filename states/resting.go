package states

// Resting: nothing is asked; the machine waits for something from outside.
const (
	Idle       State = "Idle"
	Anonymous  State = "Anonymous"
	Authorized State = "Authorized"
	Failed     State = "Failed"
)

var restingRoom = []about{
	{
		state: Idle, group: groupResting, doing: "starting",
		says:  "Nothing has begun.",
		enter: func(*Data) []Effect { return nil },
		holds: noLogin,
	},
	{
		state: Anonymous, group: groupResting, doing: "waiting for a challenge",
		says:  "No credential is held. Requests are sent without a token until the server challenges one.",
		enter: reportFault,
		holds: noLogin,
	},
	{
		state: Authorized, group: groupResting, doing: "using the token",
		says: "A token is held and handed out.",
		enter: func(d *Data) []Effect {
			out := append(reportFault(d), grant(d))
			if !d.WakeAt.IsZero() {
				out = append(out, Wake{At: d.WakeAt})
			}
			return out
		},
		holds: all(tokenHeld, noLogin),
	},
	{
		state: Failed, group: groupResting, doing: "resting after a failure",
		says:  "A login, refresh or log out failed; the report says why.",
		enter: reportFault,
		holds: func(d *Data) string { return unless(d.Fault != nil, "failed without a reason") },
	},
}

// Resting reports whether s asks nothing: the machine waits there for
// something from outside.
func Resting(s State) bool {
	return s == Idle || s == Anonymous || s == Authorized || s == Failed
}

// reportFault reports why the last login or refresh failed, if it did.
func reportFault(d *Data) []Effect {
	if d.Fault == nil {
		return nil
	}
	return []Effect{Report{Fault: *d.Fault}}
}
