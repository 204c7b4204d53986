package httpdriver

import "fmt"

// PanicError says that a function of the host panicked. The panic ends neither the
// process nor a login: the driver treats the function's answer as missing.
type PanicError struct {
	Func  string // the option or method
	Value any
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("httpdriver: %s of the host panicked: %v", e.Func, e.Value)
}

// contain calls a function of the host.
func contain(name string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{name, v}
		}
	}()
	return f()
}

func closeListener(l Listener) { _ = contain("Listener.Close", l.Close) }
