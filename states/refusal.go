package states

// Refusal: a refresh brought no token. What that says about the refresh token is stored
// before the lease is given back.
const (
	Unmarking     State = "Unmarking"
	Relinquishing State = "Relinquishing"
	Doubting      State = "Doubting"
	Disowning     State = "Disowning"
)

var refusalRoom = []about{
	{
		state: Unmarking, group: groupRefresh, lease: true, doing: "taking the intent to refresh back",
		says:  "The outcome is stored: the intent is taken back, or kept because the answer was lost and the token may have been spent.",
		enter: func(d *Data) []Effect { return []Effect{saveRecord(d)} },
		holds: all(leaseHeld, func(d *Data) string {
			return unless(d.Record != nil && d.Fault != nil, "there is no record, or no reason to take the intent back")
		}),
	},
	{
		state: Relinquishing, group: groupRefresh, lease: true, doing: "giving the refresh token up",
		says:  "The refresh token is given up. The intent says so, so that no process sends the token again or waits for it.",
		enter: func(d *Data) []Effect { return []Effect{saveRecord(d)} },
		holds: all(leaseHeld, func(d *Data) string {
			return unless(d.Record != nil && d.Record.Intent != nil && d.Fault != nil, "there is no intent, or no reason to end it")
		}),
	},
	{
		state: Doubting, group: groupRefresh, lease: true, doing: "reading the credential after a refused refresh",
		says:  "The refresh token was refused. The credential is read again before that is believed.",
		enter: loadCredential,
		holds: leaseHeld,
	},
	{
		state: Disowning, group: groupRefresh, lease: true, doing: "dropping a dead refresh token",
		says:  "The refresh token is dead. It is removed, and nothing else is.",
		enter: func(d *Data) []Effect { return []Effect{saveRecord(d)} },
		holds: all(leaseHeld, func(d *Data) string { return unless(d.Record != nil, "no record is at hand") }),
	},
}
