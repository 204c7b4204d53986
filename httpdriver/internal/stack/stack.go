// Package stack sizes the stacks of goroutines of which there are very many at once.
//
// A goroutine calls one of these functions first, while there is almost nothing on its
// stack to copy. If its stack grew on demand instead, it would be copied up to three
// times. Sizes also decide which stacks lie next to each other: the runtime frees only
// whole blocks of stacks of one size, so goroutines that end soon should not have stacks
// of the size that goroutines that wait have.
package stack

// Grow makes the stack 16 KiB, room for a step of a machine or for making a connection.
//
//go:noinline
func Grow() byte {
	var room [8 << 10]byte
	return room[len(room)-1-int(last)]
}

// GrowLess makes the stack 8 KiB, room for an exchange alone, of which very many may wait
// for their answer.
//
//go:noinline
func GrowLess() byte {
	var room [4 << 10]byte
	return room[len(room)-1-int(last)]
}

// last keeps the compiler from seeing that these do nothing.
var last byte
