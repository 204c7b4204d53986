//go:build unix

package trap

import (
	"context"
	"os/exec"
	"syscall"
	"time"
)

// alone puts the client into a process group of its own, which ends as a whole.
func alone(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// outlived waits for what the client started and did not wait for: a browser is still
// being started when a client exits at once. A process that stays is left alone.
func outlived(ctx context.Context, group int) {
	for range 50 {
		if syscall.Kill(-group, 0) != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}
