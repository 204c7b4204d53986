package states

// enterAnnouncing: other processes are told that a login is under way.
func enterAnnouncing(d *Data) []Effect {
	m := Mark{Version: RecordVersion, Holder: d.Config.Holder, Since: d.At}
	return []Effect{Save{Serial: d.Serial, Key: d.Config.MarkKey(), Value: mustEncode(&m), Expires: d.Flow.Deadline}}
}

func invariantAnnouncing(d *Data) string {
	if d.Flow == nil {
		return "no login is under way"
	}
	return ""
}
