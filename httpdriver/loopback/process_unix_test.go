//go:build unix

package loopback

import (
	"syscall"
	"testing"
)

// An interrupt at our terminal goes to our group of processes. The browser is in one of
// its own.
func TestBrowserHasItsOwnGroup(t *testing.T) {
	p := stays(t)
	if group, err := syscall.Getpgid(p.Pid); err != nil || group != p.Pid {
		t.Errorf("the process %d is in the group %d, %v", p.Pid, group, err)
	}
}
