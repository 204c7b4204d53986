package states

// Refusal: a refresh brought no token. What that says about the refresh token is
// written down before the lease is given back.
const (
	Unmarking     State = "Unmarking"
	Relinquishing State = "Relinquishing"
	Doubting      State = "Doubting"
	Disowning     State = "Disowning"
)

var refusalRoom = []about{
	{
		state: Unmarking, group: groupRefresh, lease: true, doing: "taking back the mark of the refresh",
		says:  "The refresh token was not spent: the intent is taken back.",
		enter: func(d *Data) []Effect { return []Effect{saveRecord(d)} },
		holds: all(leaseHeld, func(d *Data) string {
			return unless(d.Record != nil && d.Fault != nil, "there is no record, or no reason to take the intent back")
		}),
	},
	{
		// How often the token was sent stays in the intent, so that nobody sends
		// it again.
		state: Relinquishing, group: groupRefresh, lease: true, doing: "giving the refresh token up",
		says:  "The refresh token is given up: the intent ends, so that nobody waits for an answer to it.",
		enter: func(d *Data) []Effect { return []Effect{saveRecord(d)} },
		holds: all(leaseHeld, func(d *Data) string {
			return unless(d.Record != nil && d.Record.Intent != nil && d.Fault != nil, "there is no intent, or no reason to end it")
		}),
	},
	{
		state: Doubting, group: groupRefresh, lease: true, doing: "reading the credential after a refused refresh",
		says:  "The refresh token was refused: the credential is read again before that is believed.",
		enter: loadCredential,
		holds: leaseHeld,
	},
	{
		state: Disowning, group: groupRefresh, lease: true, doing: "dropping a dead refresh token",
		says:  "The refresh token is dead: it is dropped, and only it.",
		enter: func(d *Data) []Effect { return []Effect{saveRecord(d)} },
		holds: all(leaseHeld, func(d *Data) string { return unless(d.Record != nil, "no record is at hand") }),
	},
}
