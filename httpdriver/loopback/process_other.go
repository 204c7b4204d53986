//go:build !unix

package loopback

import "os/exec"

// detach has nothing to do: the launcher hands the URL over and ends.
func detach(*exec.Cmd) {}
