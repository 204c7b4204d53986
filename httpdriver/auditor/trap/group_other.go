//go:build !unix

package trap

import "os/exec"

// alone does nothing, because there are no process groups here. What the client started
// may outlive it.
func alone(*exec.Cmd) {}
