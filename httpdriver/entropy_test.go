package httpdriver_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stile-oauth/stile/httpdriver"
)

// TestNoEntropy: without randomness the program ends, as with crypto/rand, before a login could
// use values that can be guessed.
func TestNoEntropy(t *testing.T) {
	const inside = "STILE_TEST_NO_ENTROPY"
	if os.Getenv(inside) != "" {
		var off atomic.Bool
		off.Store(true)
		d, err := httpdriver.New(httpdriver.Options{Rand: drawn{&off}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.Token(t.Context(), httpdriver.Account{Server: "https://mcp.example/mcp"})
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self, "-test.run=^TestNoEntropy$")
	c.Env = append(os.Environ(), inside+"=1")
	out, err := c.CombinedOutput()
	if _, ended := errors.AsType[*exec.ExitError](err); !ended || !strings.Contains(string(out), "no randomness") {
		t.Errorf("%v: %s", err, out)
	}
}
