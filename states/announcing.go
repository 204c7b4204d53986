package states

import "github.com/stile-oauth/stile/states/wire"

// enterAnnouncing: other processes are told that a login is under way.
func enterAnnouncing(d *Data) []Effect {
	m := d.ownMark()
	return []Effect{Save{Serial: d.Serial, Key: d.Config.MarkKey(), Value: mustEncode(&m), Expires: d.Flow.Deadline}}
}

func invariantAnnouncing(d *Data) string {
	if d.Flow == nil {
		return "no login is under way"
	}
	return ""
}

// ownMark is the mark of the login under way.
func (d *Data) ownMark() Mark {
	return Mark{Version: RecordVersion, Holder: d.Config.Holder, Since: d.Flow.Since}
}

// OwnMark reports whether a mark that was read is that of the login under way.
func (d *Data) OwnMark(value wire.Secret) bool {
	var m Mark
	own := d.ownMark()
	return Decode(value, &m) == nil && m.Version == own.Version && m.Holder == own.Holder && m.Since.Equal(own.Since)
}
