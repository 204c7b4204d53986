package devas_test

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

// filed is a server with a state file, and what it logs.
type filed struct {
	t    *testing.T
	dir  string
	path string
	log  logged
	as   *devas.AS
}

func newFiled(t *testing.T) *filed {
	f := &filed{t: t, dir: filepath.Join(t.TempDir(), "state")}
	f.path = filepath.Join(f.dir, "state.json")
	if err := os.Mkdir(f.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f.start()
	return f
}

func (f *filed) start() {
	f.t.Helper()
	var err error
	if f.as, err = devas.NewAS(f.config()); err != nil {
		f.t.Fatal(err)
	}
}

func (f *filed) config() devas.ASConfig {
	c := devas.DefaultAS("http://127.0.0.1:9000")
	c.StateFile, c.Seed, c.Tenants = f.path, []byte("seed"), []string{"team-a"}
	c.Logger = slog.New(slog.NewTextHandler(&f.log, nil))
	return c
}

func (f *filed) register(tenant string) {
	f.t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "http://127.0.0.1:9000"+tenant+"/register", strings.NewReader(`{"redirect_uris":["http://127.0.0.1/cb"]}`))
	r.Header.Set("Content-Type", "application/json")
	f.as.ServeHTTP(w, r)
	if w.Code != 201 {
		f.t.Fatalf("registration: %d %s", w.Code, w.Body)
	}
}

// look asks for something that changes nothing.
func (f *filed) look() {
	f.as.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "http://127.0.0.1:9000"+wellKnown, nil))
}

func (f *filed) read() []byte {
	f.t.Helper()
	b, err := os.ReadFile(f.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.t.Fatal(err)
	}
	return b
}

// The file is written when something has changed, whole, for the user alone, and not
// otherwise.
func TestStateFileIsWrittenOnce(t *testing.T) {
	f := newFiled(t)
	f.register("")
	f.register("/team-a")
	kept := f.read()
	if !bytes.Contains(kept, []byte(`"issuer":"http://127.0.0.1:9000"`)) || !bytes.Contains(kept, []byte(`"issuer":"http://127.0.0.1:9000/team-a"`)) {
		t.Errorf("the file holds %s", kept)
	}
	if info, err := os.Stat(f.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if list, err := os.ReadDir(f.dir); err != nil || len(list) != 1 {
		t.Errorf("%v %v", list, err)
	}
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	if f.look(); f.read() != nil {
		t.Error("nothing has changed, and the file is written again")
	}
	if f.register(""); f.read() == nil {
		t.Error("a change is not written")
	}
	if got := f.log.take(); strings.Contains(got, "state not kept") {
		t.Error(got)
	}
}

// When the file cannot be written, the server says so and goes on, and leaves no half of
// a file behind.
func TestStateFileCannotBeWritten(t *testing.T) {
	f := newFiled(t)
	if err := os.MkdirAll(filepath.Join(f.path, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	f.register("")
	if got := f.log.take(); !strings.Contains(got, "state not kept") || !strings.Contains(got, "state file") {
		t.Errorf("a directory in its place: %s", got)
	}
	if list, err := os.ReadDir(f.dir); err != nil || len(list) != 1 {
		t.Errorf("left behind: %v %v", list, err)
	}
	if err := os.RemoveAll(f.dir); err != nil {
		t.Fatal(err)
	}
	f.register("")
	if got := f.log.take(); !strings.Contains(got, "state not kept") {
		t.Errorf("without its directory: %s", got)
	}
	if err := os.Mkdir(f.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if f.look(); f.read() == nil {
		t.Error("what was not written is not written later")
	}
}

// A file that cannot be read is refused with its name, and left as it is.
func TestStateFileCannotBeRead(t *testing.T) {
	for name, text := range map[string]string{
		"of another version": `{"version":2}`, "no JSON": "x", "without a version": `{}`, "half of it": `{"version":1,"tenants":5}`,
		"a state of another kind": `{"version":1,"tenants":[{"issuer":"http://127.0.0.1:9000","state":[]}]}`,
	} {
		f := newFiled(t)
		if err := os.WriteFile(f.path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := devas.NewAS(f.config()); err == nil {
			t.Errorf("%s: it was read", name)
		}
		if got := string(f.read()); got != text {
			t.Errorf("%s: the file holds %q", name, got)
		}
	}
	f := newFiled(t)
	if err := os.WriteFile(f.path, []byte(`{"version":1,"tenants":[{"issuer":"http://127.0.0.1:9999","state":[]}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	f.start() // another server's state is not ours to read
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(f.path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := devas.NewAS(f.config()); err == nil || !strings.Contains(err.Error(), "state file:") {
		t.Errorf("a directory: %v", err)
	}
}
