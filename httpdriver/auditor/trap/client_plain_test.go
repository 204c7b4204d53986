//go:build unix && !race

package trap_test

import "os"

// clientProgram is the program that runs as the test's client: the tests themselves.
func clientProgram() (path string, err error) { return os.Executable() }

func removeClient() {}
