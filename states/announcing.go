package states

// Announcing: before a login, the processes that share the store agree on which of them
// does it.
const (
	Announcing  State = "Announcing"
	Recognizing State = "Recognizing"
	Confirming  State = "Confirming"
	Queuing     State = "Queuing"
	Peeking     State = "Peeking"
)

var announcingRoom = []about{
	{
		state: Announcing, group: groupFinding, doing: "announcing the login",
		says: "Other processes are told that a login is under way.",
		enter: func(d *Data) []Effect {
			m := d.ownMark()
			return []Effect{Save{Serial: d.Serial, Key: d.Config.MarkKey(), Value: mustEncode(&m), Expected: d.Flow.Mark, Expires: d.At.Add(MarkLife)}}
		},
		holds: loginUnderWay,
	},
	{
		state: Recognizing, group: groupFinding, doing: "looking whether the login is announced",
		says: "The existing mark is read, to see whose it is and whether its time can be right.",
		enter: func(d *Data) []Effect {
			return []Effect{Load{Serial: d.Serial, Key: d.Config.MarkKey()}}
		},
		holds: loginUnderWay,
	},
	{
		state: Confirming, group: groupFinding, doing: "looking for a login that has just ended",
		says:  "The mark is set; the credential is read once more, in case a login ended just before.",
		enter: loadCredential,
		holds: loginUnderWay,
	},
	{
		state: Queuing, group: groupFinding, doing: "waiting for another process's login",
		says:  "Another process has a login under way, and the machine waits for its result.",
		enter: func(d *Data) []Effect { return []Effect{Wake{At: d.WakeAt}} },
		holds: loginUnderWay,
	},
	{
		state: Peeking, group: groupFinding, doing: "looking for another process's login",
		says:  "The credential is read again, in case the other login has ended.",
		enter: loadCredential,
		holds: loginUnderWay,
	},
}

// ownMark is the mark of the login under way.
func (d *Data) ownMark() Mark {
	return Mark{Version: RecordVersion, Holder: d.Config.Holder, Since: d.Flow.Since}
}

// OwnMark reports whether a mark that was read is that of the login under way.
func (d *Data) OwnMark(m Mark) bool {
	own := d.ownMark()
	return m.Version == own.Version && m.Holder == own.Holder && m.Since.Equal(own.Since)
}
