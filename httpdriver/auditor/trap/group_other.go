//go:build !unix

package trap

import (
	"context"
	"os/exec"
)

// alone does nothing, because there are no process groups here. What the client started
// may outlive it.
func alone(*exec.Cmd) {}

// outlived does nothing, for the same reason.
func outlived(context.Context, int) {}
