//go:build race

package soak_test

// instrumented says that the race detector keeps a shadow of all memory.
const instrumented = true
