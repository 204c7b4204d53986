package open_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/storage/open"
)

// With the build tag stile_light neither this package nor the command links a database,
// and a text that names one says so.
func TestLight(t *testing.T) {
	const own = "STILE_LIGHT_TEST"
	if os.Getenv(own) != "" {
		for _, text := range []string{"sqlite:" + filepath.Join(t.TempDir(), "db"), "postgres://127.0.0.1:1/x", "redis://127.0.0.1:1"} {
			_, _, _, err := open.Open(context.Background(), text, open.Options{Unsealed: true})
			if err == nil || !strings.Contains(err.Error(), "built without") {
				t.Errorf("%s: %v", text, err)
			}
		}
		_, closing, _, err := open.Open(context.Background(), "file:"+filepath.Join(t.TempDir(), "logins"), open.Options{Unsealed: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := closing(); err != nil {
			t.Error(err)
		}
		return
	}
	out, err := exec.Command("go", "list", "-deps", "-tags", "stile_light", "../../cmd/stile").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, heavy := range []string{"modernc.org/", "jackc/pgx", "redis/go-redis", "golang.org/x/text/"} {
		for p := range strings.Lines(string(out)) {
			if strings.Contains(p, heavy) && !strings.HasPrefix(p, "vendor/") {
				t.Errorf("the light command links %s", p)
				break
			}
		}
	}
	cmd := exec.Command("go", "test", "-tags", "stile_light", "-run", "^TestLight$", "-v", ".")
	cmd.Env = append(os.Environ(), own+"=1", "CGO_ENABLED=0") // as everything is built that needs no race detector
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestLight") {
		t.Fatalf("%v\n%s", err, out)
	}
}
