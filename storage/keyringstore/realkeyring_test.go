//go:build linux

package keyringstore_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/storage/keyringstore"
	"github.com/stile-oauth/stile/storage/sealed"
)

// The two tests below run this binary again, each in a session of its own: one
// with a real Secret Service, one without a session bus.
const sessionEnv = "STILE_TEST_KEYRING_SESSION"

func again(t *testing.T, cmd *exec.Cmd, session string) {
	t.Helper()
	home := t.TempDir()
	cmd.Env = append(os.Environ(), sessionEnv+"="+session, "HOME="+home,
		"XDG_DATA_HOME="+home, "XDG_RUNTIME_DIR="+home, "XDG_CONFIG_HOME="+home, "XDG_CACHE_HOME="+home)
	if session == "none" {
		cmd.Env = append(cmd.Env, "DBUS_SESSION_BUS_ADDRESS=disabled:")
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "PASS: TestInSession") {
		t.Fatalf("in the session %q: %v\n%s", session, err, out)
	}
}

func TestRealKeyring(t *testing.T) {
	for _, name := range []string{"dbus-run-session", "gnome-keyring-daemon"} {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is not installed, and in CI nothing is skipped", name)
			}
			t.Skipf("NOT TESTED against a real keyring: %s is not installed", name)
		}
	}
	const script = `printf 'pw\n' | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1; "$0" -test.v -test.run='^TestInSession$'`
	again(t, exec.Command("dbus-run-session", "--", "sh", "-c", script, os.Args[0]), "keyring")
}

func TestNoSessionBus(t *testing.T) {
	again(t, exec.Command(os.Args[0], "-test.v", "-test.run=^TestInSession$"), "none")
}

func TestInSession(t *testing.T) {
	switch os.Getenv(sessionEnv) {
	case "":
		t.Log("runs only inside the sessions that the tests above begin")
	case "keyring":
		inKeyring(t)
	case "none":
		inNone(t)
	}
}

func inKeyring(t *testing.T) {
	key := sealed.NewKey()
	if _, err := keyringstore.Load(t.Context(), key.ID()); !errors.Is(err, keyringstore.ErrNoItem) {
		t.Fatalf("Load of a key that was never saved: %v", err)
	}
	if err := keyringstore.Save(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if got, err := keyringstore.Load(t.Context(), key.ID()); err != nil || got != key {
		t.Fatalf("Load = %v, %v; want %v", got, err, key)
	}
	if err := keyringstore.Remove(t.Context(), key.ID()); err != nil {
		t.Fatal(err)
	}
	if _, err := keyringstore.Load(t.Context(), key.ID()); !errors.Is(err, keyringstore.ErrNoItem) {
		t.Fatalf("Load of a removed key: %v", err)
	}

	o := keyringstore.Options{Dir: dir(t)}
	s, notice, err := keyringstore.OpenDefault(t.Context(), o)
	if err != nil || notice != "" {
		t.Fatalf("OpenDefault: notice %q, %v", notice, err)
	}
	put(t, s, "token", 0)
	reopened, _, err := keyringstore.OpenDefault(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	want(t, reopened, "token")
}

func inNone(t *testing.T) {
	none := (*keyringstore.NoKeyringError)(nil)
	if err := keyringstore.Save(t.Context(), sealed.NewKey()); !errors.As(err, &none) {
		t.Fatalf("Save without a session bus: %v", err)
	}
	if _, _, err := keyringstore.OpenDefault(t.Context(), keyringstore.Options{Dir: dir(t), Source: keyringstore.Keyring}); !errors.As(err, &none) ||
		!strings.Contains(err.Error(), "key file") || !strings.Contains(err.Error(), "passphrase") {
		t.Fatalf("the keyring and nothing else: %v", err)
	}
	s, notice, err := keyringstore.OpenDefault(t.Context(), keyringstore.Options{Dir: dir(t)})
	if err != nil || !strings.Contains(string(notice), "no keyring answered") {
		t.Fatalf("OpenDefault: notice %q, %v", notice, err)
	}
	put(t, s, "token", 0)
	want(t, s, "token")
}
