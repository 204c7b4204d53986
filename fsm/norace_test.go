//go:build !race

package fsm_test

const everyForgery, everyStep = 1, 1
