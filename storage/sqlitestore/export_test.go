package sqlitestore

// DSN is what the store's connections are opened with.
func DSN(path string) string { return dsn(path) }
