//go:build unix

package loopback

import (
	"os/exec"
	"syscall"
)

// detach keeps an interrupt at our terminal from reaching the browser.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
