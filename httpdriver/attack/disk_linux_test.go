package attack_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
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

// withMounts runs a test in a process that may mount file systems which nobody else
// sees. It reports whether this is that process.
func withMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv("STILE_ATTACK_ALONE") != "" {
		if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
			t.Fatal(err)
		}
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self, "-test.run", "^"+t.Name()+"$", "-test.v")
	c.Env = append(os.Environ(), "STILE_ATTACK_ALONE=1")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		c.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		c.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		c.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := c.CombinedOutput()
	if errors.Is(err, syscall.EPERM) && os.Getenv("CI") != "true" {
		t.Skipf("NOT TESTED on a disk of its own: this system lets nobody mount one: %v", err)
	}
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// disk mounts a small disk and gives a directory on it.
func disk(t *testing.T) (mount, dir string) {
	t.Helper()
	mount = t.TempDir()
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=1m,mode=0700"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(mount, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return mount, filepath.Join(mount, "store")
}

// readOnly makes a disk read-only, and gives the function that undoes that.
func readOnly(t *testing.T, mount string) (lift func()) {
	t.Helper()
	remount := func(flag uintptr) {
		if err := syscall.Mount("", mount, "", syscall.MS_REMOUNT|flag, ""); err != nil {
			t.Fatal(err)
		}
	}
	remount(syscall.MS_RDONLY)
	return func() { remount(0) }
}

// filled writes to a disk until nothing more fits, and gives the function that makes
// room again.
func filled(t *testing.T, mount string) (lift func()) {
	t.Helper()
	path := filepath.Join(mount, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := 64 << 10; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	_ = f.Close()
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

// TestDisks: the disk under a store of files is full, or can no longer be written. What
// is stored can still be read, a refresh token is not sent when it could not be noted
// before, the fault is the store's, and afterwards the driver goes on without a login.
func TestDisks(t *testing.T) {
	if !withMounts(t) {
		return
	}
	for _, fault := range []struct {
		name string
		turn func(*testing.T, string) func()
	}{{"read-only", readOnly}, {"full", filled}} {
		for _, m := range []meeting{firstLogin, expired, moreScope, logOut} {
			t.Run(fault.name+"/"+m.name, func(t *testing.T) {
				mount, dir := disk(t)
				synctest.Test(t, func(t *testing.T) {
					files, err := filestore.Open(dir)
					if err != nil {
						t.Fatal(err)
					}
					onDisk(t, files, m, func() func() { return fault.turn(t, mount) })
				})
			})
		}
	}
}

func onDisk(t *testing.T, store storage.Store, m meeting, turn func() func()) {
	s := begin(t, func(o *httpdriver.Options) { o.Store = store })
	defer time.Sleep(time.Minute) // for the servers to end
	defer func() { _ = s.driver.Close() }()
	lift, before, cost := func() {}, 0, s.measure()
	err := m.do(s, func() {
		s.before, before, cost = s.record(), len(s.net.requests()), s.measure()
		lift = turn()
	})
	if s.before != nil && s.record() == nil {
		t.Error("what is stored cannot be read")
	}
	spent := cost.read()
	lift()
	s.judge(want{ends: "fault", party: states.PartyStore}, err, spent)
	s.neverRefreshed(before)
	time.Sleep(time.Minute) // a failed login is not repeated at once
	seen := len(s.net.requests())
	body := ping
	if m.name == moreScope.name {
		body = admin
	}
	s.must(body)
	if m.name == expired.name && s.logins(seen) > 0 {
		t.Error("a login was needed afterwards")
	}
}

// neverRefreshed asserts that no refresh token was sent since a request.
func (s *scene) neverRefreshed(since int) {
	s.t.Helper()
	for _, r := range s.net.requests()[since:] {
		if r.refresh {
			s.t.Error("the refresh token was sent, and nobody could know")
		}
	}
}

// logins counts the codes that were exchanged since a request.
func (s *scene) logins(since int) (n int) {
	for _, r := range s.net.requests()[since:] {
		if r.form.Get("grant_type") == "authorization_code" {
			n++
		}
	}
	return n
}

// TestDisksUnderADatabase does the same with SQLite, which uses the system's clock. A
// disk on which a database is open cannot be made read-only.
func TestDisksUnderADatabase(t *testing.T) {
	if !withMounts(t) {
		return
	}
	mount, dir := disk(t)
	path := dir + ".db"
	db, err := sqlitestore.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	var ahead atomic.Int64
	s := begin(t, func(o *httpdriver.Options) {
		o.Store, o.Clock = db, func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	s.must(ping)
	before := len(s.net.requests())
	lift := filled(t, mount)
	s.must(ping) // with the token that is held
	ahead.Store(int64(2 * time.Hour))
	cost := s.measure()
	err = s.post(ping)
	s.judge(want{ends: "fault", party: states.PartyStore}, err, cost.read())
	s.neverRefreshed(before)
	lift()
	for end := time.Now().Add(30 * time.Second); s.post(ping) != nil; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not go on when there is room again")
		}
	}
	if n := s.logins(before); n > 0 {
		t.Errorf("%d logins were needed afterwards", n)
	}
	_ = s.driver.Close()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	lift = readOnly(t, mount)
	if _, err := sqlitestore.Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("opened on a disk that cannot be written: %v", err)
	}
	lift()
	if db, err = sqlitestore.Open(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	other := s.beside(func(o *httpdriver.Options) { o.Store = db })
	other.must(ping)
	if n := s.logins(before); n > 0 {
		t.Errorf("%d logins were needed afterwards", n)
	}
}
