package httpdriver

// growStack gives the stack of a new goroutine room for a machine's step and for an
// exchange. At the start there is next to nothing on it to be moved; left to grow by
// need it is moved three times, which is a tenth of a login's time.
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
