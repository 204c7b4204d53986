//go:build race

package httpdriver_test

// nthFault: the race detector makes an attack ten times as slow, and sees the same code in
// each of them.
const nthFault = 5
