package storage

// Len is how many entries and leases are in memory, expired ones included.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.entries) + len(m.leases)
}
