package httpdriver

// Sessions says how many accounts are in memory.
func (d *Driver) Sessions() int {
	d.sessions.mu.Lock()
	defer d.sessions.mu.Unlock()
	return len(d.sessions.all)
}
