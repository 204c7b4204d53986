package script

import (
	"bytes"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stile-oauth/stile/fsm"
)

// watch prints, from here on, which facts each step changes.
func watch(s *Script, _ Command) error {
	s.watching = true
	return nil
}

// members are those of an object.
type members = map[string]jsontext.Value

// changes prints the facts that differ between two machines. They are those that a machine
// carries over a restart. When it was and how many questions there were is left out, and so
// is the configuration, except for the quirks that a machine adds to it.
func (s *Script) changes(before, after fsm.Machine) error {
	was, err := factsOf(before)
	if err != nil {
		return err
	}
	now, err := factsOf(after)
	if err != nil {
		return err
	}
	s.differ("", was, now)
	return nil
}

func factsOf(m fsm.Machine) (members, error) {
	snap, err := m.Snapshot()
	if err != nil {
		return nil, err
	}
	var v struct {
		Data members `json:"data"`
	}
	if err := json.Unmarshal([]byte(snap.Reveal()), &v); err != nil {
		return nil, err
	}
	if c := m.Data.Config; c != nil && len(c.Quirks) > 0 {
		if v.Data["quirks"], err = json.Marshal(c.Quirks); err != nil {
			return nil, err
		}
	}
	for _, beside := range []string{"config", "at", "serial"} {
		delete(v.Data, beside)
	}
	return v.Data, nil
}

// differ prints which members differ. Of an object that was there before, it names the
// members.
func (s *Script) differ(path string, was, now members) {
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if _, there := now[name]; !there {
			s.say("  fact %s%s gone", path, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		old, there := was[name]
		var a, b members
		switch {
		case bytes.Equal(old, now[name]):
		case there && json.Unmarshal(old, &a) == nil && json.Unmarshal(now[name], &b) == nil:
			s.differ(path+name+".", a, b)
		default:
			s.say("  fact %s%s = %s", path, name, now[name])
		}
	}
}
