//go:build unix && race

package trap_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// clientProgram is the program that runs as the test's client: these tests, built without
// the race detector. The client is not what is examined for races, hundreds of it are
// started, and with the detector each start costs four times as much.
var clientProgram = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "client")
	if err != nil {
		return "", err
	}
	builtClient = dir
	path := filepath.Join(dir, "client")
	build := exec.Command("go", "test", "-c", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as everything is built that needs no race detector
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the test's client does not build: %w\n%s", err, out)
	}
	return path, nil
})

var builtClient string

func removeClient() {
	if builtClient != "" {
		_ = os.RemoveAll(builtClient)
	}
}
