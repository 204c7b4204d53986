package httpdriver

import "github.com/stile-oauth/stile/fsm"

// Sessions says how many accounts are in memory.
func (d *Driver) Sessions() int {
	n := 0
	for i := range d.sessions.all {
		t := &d.sessions.all[i]
		t.mu.Lock()
		n += len(t.of)
		t.mu.Unlock()
	}
	return n
}

// SessionBytes says what an account in memory is taken to weigh.
func (d *Driver) SessionBytes(a Account) int64 {
	s, err := d.session(a)
	if err != nil {
		return 0
	}
	return int64(s.bytes())
}

// Over lets the driver move by another law, for tests that show what a rule that is
// switched off does on the wire.
func (d *Driver) Over(law func() *fsm.Engine) { d.engines.New = func() any { return law() } }
