//go:build linux || darwin

package attack_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/filestore"
	"github.com/stile-oauth/stile/storage/sqlitestore"
)

// full makes every write to a file fail from here on, and gives the function that undoes
// that. It uses the limit on the size of files, which holds for root as well.
func full(t *testing.T) (lift func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 0, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
			t.Error(err)
		}
	}
}

// alone runs a test in a process of its own, because the limit holds for the whole
// process and `go test` writes files of its own. It reports whether this is that process.
func alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv("STILE_ATTACK_ALONE") != "" {
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self, "-test.run", "^"+t.Name()+"$", "-test.v")
	c.Env = append(os.Environ(), "STILE_ATTACK_ALONE=1")
	out, err := c.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// TestFullDisk: nothing can be written. A refresh token is not sent when it could not
// be noted before, the fault is the store's, and with room again the driver goes on
// without a login.
func TestFullDisk(t *testing.T) {
	if !alone(t) {
		return
	}
	for _, m := range []meeting{firstLogin, expired, moreScope} {
		t.Run(m.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			synctest.Test(t, func(t *testing.T) {
				files, err := filestore.Open(dir)
				if err != nil {
					t.Fatal(err)
				}
				s := begin(t, func(o *httpdriver.Options) { o.Store = files })
				defer s.end()
				lift, before, cost := func() {}, 0, s.measure()
				err = m.do(s, func() {
					s.before, before, cost = s.record(), len(s.net.requests()), s.measure()
					lift = full(t)
				})
				spent := cost.read()
				lift()
				s.judge(want{ends: "fault", party: states.PartyStore}, err, spent)
				for _, r := range s.net.requests()[before:] {
					if r.refresh {
						t.Error("the refresh token was sent, and nobody could know")
					}
				}
				time.Sleep(time.Minute) // a failed login is not repeated at once
				seen := len(s.net.requests())
				body := ping
				if m.name == moreScope.name {
					body = admin
				}
				s.must(body)
				for _, r := range s.net.requests()[seen:] {
					if m.name == expired.name && r.form.Get("grant_type") == "authorization_code" {
						t.Error("a login was needed afterwards")
					}
				}
			})
		})
	}
}

// TestFullDiskUnderADatabase does the same with SQLite.
func TestFullDiskUnderADatabase(t *testing.T) {
	if !alone(t) {
		return
	}
	db, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	fill(t, db)
	e, err := db.Get(t.Context(), kept)
	if err != nil {
		t.Fatal(err)
	}
	lift := full(t)
	_, err = db.Put(t.Context(), kept, []byte("newer"), e.Generation, time.Time{})
	lift()
	if err == nil || errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a write without room: %v", err)
	}
	got, err := db.Get(t.Context(), kept)
	if err != nil || got.Generation != e.Generation {
		t.Errorf("after a write that failed: %v, %v", got.Generation, err)
	}
	if _, err := db.Put(t.Context(), kept, []byte("newer"), e.Generation, time.Time{}); err != nil {
		t.Errorf("with room again: %v", err)
	}
}
