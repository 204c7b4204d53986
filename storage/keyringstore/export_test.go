package keyringstore

// FastPassphrases makes passphrases cheap for the time of a test.
func FastPassphrases() (undo func()) {
	old := minIterations
	minIterations = 1000
	return func() { minIterations = old }
}
