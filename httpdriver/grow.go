package httpdriver

// growStack gives the stack of a new goroutine room for a machine's step and for an
// exchange. At the start, there is almost nothing on the stack to copy. If the stack
// grows on demand, it is copied three times, which takes a tenth of a login's time.
//
//go:noinline
func growStack() byte {
	var room [8 << 10]byte
	return room[len(room)-1-int(last)]
}

// growLess is growStack for an exchange alone.
//
//go:noinline
func growLess() byte {
	var room [4 << 10]byte
	return room[len(room)-1-int(last)]
}

// last keeps the compiler from seeing that these do nothing.
var last byte
