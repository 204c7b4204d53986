//go:build unix

package filestore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/filestore"
)

func TestModes(t *testing.T) {
	d := filepath.Join(dir(t), "made", "here")
	s := open(t, d)
	g := put(t, s, k, "v", 0, time.Time{})
	if _, err := s.Lease(t.Context(), k, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), k, g); err != nil {
		t.Fatal(err)
	}
	put(t, s, k, "v", 0, time.Time{})
	seen := 0
	err := filepath.WalkDir(filepath.Dir(d), func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		seen++
		want := fs.FileMode(0o600)
		if e.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %04o, want %04o", p, info.Mode().Perm(), want)
		}
		return nil
	})
	if err != nil || seen < 7 {
		t.Fatalf("%d files and directories, %v", seen, err)
	}
}

func TestRefusedDirectories(t *testing.T) {
	mk := func(path string, mode fs.FileMode) string {
		t.Helper()
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	base := dir(t)
	shared := mk(filepath.Join(base, "shared"), 0o777)
	group := mk(filepath.Join(base, "group"), 0o770)
	sticky := mk(filepath.Join(base, "sticky"), os.ModeSticky|0o777)
	inShared := mk(filepath.Join(shared, "private"), 0o700)
	link := filepath.Join(base, "link")
	if err := os.Symlink(inShared, link); err != nil {
		t.Fatal(err)
	}
	linkInShared := filepath.Join(shared, "link")
	if err := os.Symlink(mk(filepath.Join(base, "private"), 0o700), linkInShared); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(base, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		want string // "" is accepted
	}{
		{shared, "open to others"},
		{group, "open to others"},
		{mk(filepath.Join(base, "readable"), 0o755), "open to others"},
		{inShared, "written by others"},
		{mk(filepath.Join(group, "private"), 0o700), "written by others"},
		{link, "written by others"},
		{linkInShared, "written by others"},
		{filepath.Join(sticky, "private"), ""},
		{file, "not a directory"},
	} {
		s, err := filestore.Open(c.path)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("Open(%s) = %v, %v; want %q", strings.TrimPrefix(c.path, base), s, err, c.want)
		}
	}
	if os.Geteuid() == 0 { // only root can give files away
		for _, c := range []struct{ give, open string }{
			{"theirs", "theirs"},
			{"theirs2", "theirs2/mine"},
		} {
			mk(filepath.Join(base, c.give), 0o700)
			path := filepath.Join(base, c.open)
			if c.open != c.give {
				mk(path, 0o700)
			}
			if err := os.Chown(filepath.Join(base, c.give), 12345, 12345); err != nil {
				t.Fatal(err)
			}
			if _, err := filestore.Open(path); err == nil || !strings.Contains(err.Error(), "belongs to user 12345") {
				t.Errorf("Open(%s): %v", c.open, err)
			}
		}
	}
}

// A link or a pipe in place of an entry is an error, and is not followed.
func TestNotARegularFile(t *testing.T) {
	d := dir(t)
	s := open(t, d)
	put(t, s, k, "v", 0, time.Time{})
	path := files(t, d, "*.entry")[0]
	elsewhere := filepath.Join(d, "elsewhere")
	if err := os.Rename(path, elsewhere); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, path); err != nil {
		t.Fatal(err)
	}
	if e, err := s.Get(t.Context(), k); err == nil {
		t.Errorf("Get through a symbolic link gave %q", e.Value)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if e, err := s.Get(t.Context(), k); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("Get of a pipe gave %q, %v", e.Value, err)
	}
	if keys, err := s.List(t.Context(), k.Tenant, k.Subject); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("List of a pipe gave %v, %v", keys, err)
	}
}

// Nothing stays open between calls.
func TestFilesAreClosed(t *testing.T) {
	count := func() int {
		open, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc here")
		}
		return len(open)
	}
	d := dir(t)
	s := open(t, d)
	g := put(t, s, k, "v", 0, time.Time{})
	before := count()
	for range 50 {
		g = put(t, s, k, "v", g, time.Time{})
		if _, err := s.Get(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	if n := count() - before; n > 10 {
		t.Errorf("%d files more are open", n)
	}
}

// A write is synced before it replaces the one before, and the directory is synced
// after the change; so it is after a removal. What was answered survives a power
// failure.
func TestSynced(t *testing.T) {
	d := dir(t)
	s := open(t, d)
	kept := func() string { // what a reader finds at this moment
		e, err := s.Get(t.Context(), k)
		if err != nil {
			return "nothing"
		}
		return string(e.Value)
	}
	var synced []string
	undo := filestore.OnSync(func(path string) {
		what := "file"
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			what = "directory"
			if path == d {
				what = "top"
			}
		}
		synced = append(synced, what+" while there is "+kept())
	})
	defer undo()
	expect := func(step string, want ...string) {
		t.Helper()
		if !slices.Equal(synced, want) {
			t.Errorf("%s: synced %q, want %q", step, synced, want)
		}
		synced = nil
	}
	g := put(t, s, k, "one", 0, time.Time{})
	expect("the first write", "top while there is nothing", "file while there is nothing", "directory while there is one")
	g = put(t, s, k, "two", g, time.Time{})
	expect("the second write", "file while there is one", "directory while there is two")
	if err := s.Delete(t.Context(), k, g); err != nil {
		t.Fatal(err)
	}
	expect("a delete", "file while there is two", "directory while there is two", "directory while there is nothing")
}

// TestKilledWriter runs the test binary again as a writer that never ends, and
// kills it at random instants (the long version is in soak_test.go).
func TestKilledWriter(t *testing.T) { killWriters(t, 12) }

const writerEnv = "STILE_TEST_FILESTORE_WRITER"

func TestMain(m *testing.M) {
	if d := os.Getenv(writerEnv); d != "" {
		if err := write(d); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

var claimed = states.Key{Kind: states.KindLogin, Name: "claimed"}

// write puts, deletes and leases for ever, and prints on its standard output which
// generation of k it knows to be kept.
func write(d string) error {
	s, err := filestore.Open(d)
	if err != nil {
		return err
	}
	ctx := context.Background()
	value := []byte(strings.Repeat("v", 9000))
	for {
		e, err := s.Get(ctx, k)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		g, err := s.Put(ctx, k, value, e.Generation, time.Time{})
		if err != nil {
			return err
		}
		fmt.Println(g)
		c, err := s.Get(ctx, claimed)
		switch {
		case errors.Is(err, storage.ErrNotFound):
			_, err = s.Put(ctx, claimed, value, 0, time.Now().Add(time.Hour))
		case err == nil:
			err = s.Delete(ctx, claimed, c.Generation)
		}
		if err != nil {
			return err
		}
		// The lease of a writer that was killed is still held, for a moment.
		l, err := s.Lease(ctx, claimed, time.Millisecond)
		if err == nil {
			err = s.Release(ctx, claimed, l.Fence)
		}
		if err != nil && !errors.Is(err, storage.ErrHeld) {
			return err
		}
	}
}

func killWriters(t *testing.T, kills int) {
	d := dir(t)
	var highest states.Generation
	leftovers := 0
	for i := range kills {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), writerEnv+"="+d)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		if !lines.Scan() {
			t.Fatalf("kill %d: the writer wrote nothing: %v", i, cmd.Wait())
		}
		// The instant is left to chance: that is what is tested.
		timer := time.AfterFunc(time.Duration(rand.IntN(30_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
		last := lines.Text()
		for lines.Scan() {
			last = lines.Text()
		}
		timer.Stop()
		_ = cmd.Wait()
		var kept states.Generation
		if _, err := fmt.Sscan(last, &kept); err != nil {
			kept = highest // the last line was cut off by the kill
		}
		leftovers += len(files(t, d, "tmp-*"))

		s := open(t, d)
		e, err := s.Get(t.Context(), k)
		if err != nil || e.Generation < kept || len(e.Value) != 9000 {
			t.Fatalf("kill %d: generation %d of %d bytes, %v; the writer knew of %d", i, e.Generation, len(e.Value), err, kept)
		}
		if e.Generation < highest {
			t.Fatalf("kill %d: generation %d after %d", i, e.Generation, highest)
		}
		highest = put(t, s, k, strings.Repeat("w", 9000), e.Generation, time.Time{})
		if highest <= e.Generation {
			t.Fatalf("kill %d: generation %d over %d", i, highest, e.Generation)
		}
		if _, err := s.List(t.Context(), "", ""); err != nil {
			t.Fatalf("kill %d: %v", i, err)
		}
	}
	s := open(t, d)
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := files(t, d, "tmp-*"); len(left) != 0 {
		t.Errorf("left behind for ever: %v", left)
	}
	t.Logf("%d kills, %d files left half written and cleaned up", kills, leftovers)
}
