//go:build !race

package fsm_test

const everyForgery = 1
