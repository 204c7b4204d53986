package attack_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/filestore"
	"github.com/stile-oauth/stile/storage/sqlitestore"
)

// TestRequestsOverDamage: a process starts over a store in which a byte was flipped or
// an end cut off. Its request goes through, with the token that was stored or after
// another login, or it ends in a fault. It never panics, and a token goes nowhere else,
// and only in the form in which it was issued.
func TestRequestsOverDamage(t *testing.T) {
	files, databases := 7, 997
	if long {
		files, databases = 1, 41
	}
	requestsOverDamage(t, files, databases)
}

// requestsOverDamage damages files and databases at every so many bytes.
func requestsOverDamage(t *testing.T, files, databases int) {
	t.Helper()
	for _, c := range []struct {
		name   string
		sealed bool
		db     bool
		step   int
	}{
		{"files", false, false, files},
		{"sealed files", true, false, files},
		{"sealed SQLite", true, true, databases},
		{"SQLite", false, true, databases},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, now := filepath.Join(inMemory(t), "store"), time.Now()
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				// SQLite uses the system's clock, even in a bubble.
				overDamage(t, dir, c.sealed, c.db, c.step, func() time.Time { return now.Add(time.Since(begun)) })
			})
		})
	}
}

// inMemory gives a directory in memory, where there is one, so that no test waits for a disk.
func inMemory(t *testing.T) string {
	t.Helper()
	const shared = "/dev/shm"
	if st, err := os.Stat(shared); err != nil || !st.IsDir() {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(shared, "stile-attack-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func overDamage(t *testing.T, dir string, seal, db bool, step int, clock func() time.Time) {
	over := func() (storage.Store, func(), error) {
		var inner storage.Store
		done := func() {}
		if db {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			s, err := sqlitestore.Open(t.Context(), filepath.Join(dir, "s.db"))
			if err != nil {
				return nil, nil, err
			}
			inner, done = s, func() { _ = s.Close() }
		} else {
			s, err := filestore.Open(dir)
			if err != nil {
				return nil, nil, err
			}
			inner = s
		}
		if seal {
			inner = underSeal(t, inner)
		}
		return inner, done, nil
	}
	if db && step == 1 {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		smallPages(t, filepath.Join(dir, "s.db"))
	}
	store, done, err := over()
	if err != nil {
		t.Fatal(err)
	}
	s := begin(t, func(o *httpdriver.Options) { o.Store, o.Trace, o.Clock = store, nil, clock })
	s.must(ping)
	_ = s.driver.Close()
	defer time.Sleep(time.Minute) // for the servers to end
	done()
	whole := map[string][]byte{} // what the files hold
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			whole[path], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	restore := func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		for path, b := range whole {
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	// looked judges what was sent and said so far, and forgets it.
	looked := func() {
		s.secrets(nil)
		issued := s.issued.String()
		for _, r := range s.net.requests() {
			_, token, _ := strings.Cut(r.bearer, "Bearer ")
			if r.to == "rs" && token != "" && !strings.Contains(issued, `"`+token+`"`) {
				t.Errorf("a token of %d bytes was sent that nobody issued", len(token))
			}
		}
		for _, a := range s.net.tries {
			if a := "http://" + a; a != s.issuer && !strings.HasPrefix(s.server, a+"/") {
				t.Errorf("somebody tried to connect to %s", a)
			}
		}
		s.net.seen, s.net.tries = nil, nil
		s.log.b.Reset()
		s.seen.b.Reset()
	}
	tried, went, waited := 0, 0, 0
	for path, b := range whole {
		damages(b, step, func(what string, at int, damaged []byte) {
			if tried++; tried%1000 == 0 {
				looked()
			}
			restore()
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			store, done, err := over()
			if err != nil {
				return // it says so
			}
			defer done()
			p := s.beside(func(o *httpdriver.Options) { o.Store, o.Trace, o.Clock = store, nil, clock })
			defer func() { _ = p.driver.Close() }()
			cost := s.measure()
			err = p.post(ping)
			if db && errors.Is(err, context.DeadlineExceeded) {
				// The damage brought back the mark of a login. The mark ends by the clock
				// of SQLite, which stands still as long as this world lasts.
				waited++
				return
			}
			if err == nil {
				went++
			} else if f, typed := fsm.FaultOf(err); !typed || f.Problem.Rule == "" {
				t.Errorf("%s %s at %d: an error of no type: %v", filepath.Base(path), what, at, err)
			}
			s.afford(want{}, cost.read())
			if err != nil && (len(err.Error()) > mostError || unfit(err.Error()) >= 0) {
				t.Errorf("%s %s at %d: an error that cannot be shown: %q", filepath.Base(path), what, at, err)
			}
		})
	}
	t.Logf("%d damages, %d requests went through, %d waited for a login", tried, went, waited)
	if waited > 1+tried/10000 {
		t.Errorf("%d of %d waited for the login of another process", waited, tried)
	}
	if tried < 20 || went == 0 {
		t.Errorf("%d damages were tried, and %d requests went through", tried, went)
	}
	looked()
	restore()
	store, done, err = over()
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	p := s.beside(func(o *httpdriver.Options) { o.Store, o.Trace, o.Clock = store, nil, clock })
	p.must(ping)
	if n := len(s.net.requests()); n != 1 {
		t.Errorf("undamaged, it took %d requests", n)
	}
	_ = p.driver.Close()
}
