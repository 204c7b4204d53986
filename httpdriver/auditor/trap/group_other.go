//go:build !unix

package trap

import "os/exec"

// alone does nothing: there are no process groups here, and what the client
// started may outlive it.
func alone(*exec.Cmd) {}
