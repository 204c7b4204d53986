package filestore_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/filestore"
	"github.com/stile-oauth/stile/storage/internal/backend"
)

// Entries of the older format, whose file names do not tell the owner, can be read.
// They are removed by the next write or delete, and never come back.
func TestOlderFormat(t *testing.T) {
	d := dir(t)
	s := open(t, d)
	other := k
	other.Account = "other"
	older := func(k states.Key) string {
		return filepath.Join(d, backend.KeyID(k)[:2], backend.KeyID(k)+".entry")
	}
	gens := map[states.Key]states.Generation{}
	for _, k := range []states.Key{k, other} {
		gens[k] = put(t, s, k, "old", 0, time.Time{})
		if err := os.Rename(fileOf(t, d, k), older(k)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(d, "format"), []byte("stile-filestore 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, d)
	if keys, err := s.List(t.Context(), k.Tenant, k.Subject); err != nil || len(keys) != 2 {
		t.Fatalf("List = %v, %v", keys, err)
	}
	if e, err := s.Get(t.Context(), k); err != nil || string(e.Value) != "old" || e.Generation != gens[k] {
		t.Fatalf("Get = %+v, %v", e, err)
	}
	// As if a writer had been killed before it removed the older file.
	left, err := os.ReadFile(older(k))
	if err != nil {
		t.Fatal(err)
	}
	g := put(t, s, k, "new", gens[k], time.Time{})
	if _, err := os.Stat(older(k)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the older file after a write: %v", err)
	}
	if err := os.WriteFile(older(k), left, 0o600); err != nil {
		t.Fatal(err)
	}
	if e, err := s.Get(t.Context(), k); err != nil || string(e.Value) != "new" {
		t.Errorf("Get = %q, %v", e.Value, err)
	}
	if keys, err := s.List(t.Context(), k.Tenant, k.Subject); err != nil || len(keys) != 2 {
		t.Errorf("List = %v, %v", keys, err)
	}
	if err := s.Delete(t.Context(), k, g); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), other, gens[other]); err != nil {
		t.Fatal(err)
	}
	if left := files(t, d, "*.entry"); len(left) != 0 {
		t.Errorf("after both were deleted: %v", left)
	}
}

// A listing of one owner does not read the entries of others.
func TestListReadsItsOwner(t *testing.T) {
	d := dir(t)
	s := open(t, d)
	other := k
	other.Subject = "other"
	put(t, s, k, "mine", 0, time.Time{})
	put(t, s, other, "theirs", 0, time.Time{})
	if err := os.WriteFile(fileOf(t, d, other), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if keys, err := s.List(t.Context(), k.Tenant, k.Subject); err != nil || len(keys) != 1 {
		t.Errorf("List = %v, %v", keys, err)
	}
	n := 0
	err := s.Keys(t.Context(), func(states.Key) error { n++; return nil })
	if n != 1 || err == nil || !strings.Contains(err.Error(), filepath.Base(fileOf(t, d, other))) {
		t.Errorf("Keys: %d keys, %v", n, err)
	}
}

// An open store cleans up after others, even when it only reads or is idle.
func TestBackgroundSweep(t *testing.T) {
	c := newClock()
	d := dir(t)
	s := open(t, d, filestore.Clock(c.now))
	for i := range 50 {
		own := k
		own.Account = strconv.Itoa(i)
		put(t, s, own, "v", 0, c.now().Add(time.Minute))
	}
	put(t, s, k, "v", 0, time.Time{})
	c.advance(time.Hour)
	shards := func() int {
		names, err := os.ReadDir(d)
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	before := shards()
	resting := open(t, d, filestore.Clock(c.now), filestore.Background(10*time.Millisecond))
	left := files(t, d, "*.entry")
	for end := time.Now().Add(20 * time.Second); len(left) > 1 && time.Now().Before(end); left = files(t, d, "*.entry") {
		time.Sleep(5 * time.Millisecond)
	}
	if len(left) != 1 || left[0] != fileOf(t, d, k) {
		t.Errorf("%d entries are left", len(left))
	}
	if n := shards(); n != before {
		t.Errorf("%d files and directories, %d before it was swept", n, before)
	}
	again := k // expires after the first sweep, and is left to a later one
	again.Account = "again"
	put(t, s, again, "v", 0, c.now().Add(time.Minute))
	c.advance(time.Hour)
	for end := time.Now().Add(20 * time.Second); len(files(t, d, "*.entry")) > 1; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("what expired after the first sweep is left")
		}
	}
	runtime.KeepAlive(resting)
	// The store is swept for as long as somebody holds it.
	for end := time.Now().Add(20 * time.Second); os.RemoveAll(d) != nil && time.Now().Before(end); {
		runtime.GC()
		time.Sleep(20 * time.Millisecond)
	}
	runtime.GC()
}

func TestFormatOfAnotherVersion(t *testing.T) {
	d := dir(t)
	open(t, d)
	if err := os.WriteFile(filepath.Join(d, "format"), []byte("stile-filestore 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := filestore.Open(d); err == nil || !strings.Contains(err.Error(), "does not know") {
		t.Errorf("Open: %v", err)
	}
	// A format that cannot be read is not another version.
	if err := os.Remove(filepath.Join(d, "format")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(d, "format"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := filestore.Open(d); err == nil || errors.Is(err, storage.ErrFormat) {
		t.Errorf("Open: %v", err)
	}
}

// What the files of an entry are called is a part of the format: other releases find them by it.
func TestNamesOnDisk(t *testing.T) {
	d := dir(t)
	s := open(t, d)
	g := put(t, s, k, "v", 0, time.Time{})
	if _, err := s.Lease(t.Context(), k, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), k, g); err != nil {
		t.Fatal(err)
	}
	put(t, s, k, "w", 0, time.Time{})
	shard := ""
	for pattern, want := range map[string]string{
		"*.entry": `^[0-9a-f]{64}\.[0-9a-f]{16}\.entry$`, "*.lease": `^[0-9a-f]{64}\.lease$`, "mark": `^mark$`, "lock": `^lock$`,
	} {
		path := one(t, d, "*/"+pattern)
		if name := filepath.Base(path); !regexp.MustCompile(want).MatchString(name) {
			t.Errorf("%s is called %s", pattern, name)
		}
		if shard = filepath.Base(filepath.Dir(path)); len(shard) != 2 || pattern == "*.lease" && !strings.HasPrefix(filepath.Base(path), shard) {
			t.Errorf("%s is in the shard %s", pattern, shard)
		}
	}
}

func TestDefaultDir(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", "/somewhere/state")
	if d, err := filestore.DefaultDir(nil); err != nil || d == filepath.FromSlash("/somewhere/state/stile") {
		t.Errorf("without getenv DefaultDir = %q, %v", d, err)
	}
	if d, err := filestore.DefaultDir(os.Getenv); err != nil || d != filepath.FromSlash("/somewhere/state/stile") {
		t.Errorf("DefaultDir = %q, %v", d, err)
	}
	// The specification of the variable wants relative paths ignored.
	t.Setenv("XDG_STATE_HOME", "relative")
	t.Setenv("HOME", "/home/alice")
	t.Setenv("LocalAppData", `C:\alice`)
	if d, err := filestore.DefaultDir(os.Getenv); err != nil || strings.Contains(d, "relative") {
		t.Errorf("DefaultDir = %q, %v", d, err)
	}
}
