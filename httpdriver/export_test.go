package httpdriver

// Sessions says how many accounts are in memory.
func (d *Driver) Sessions() int { return d.sessions.count() }
