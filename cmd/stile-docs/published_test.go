package main

import (
	"archive/zip"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	modulePath = "github.com/stile-oauth/stile"
	// The version is always the same, so that the build cache keeps the packages that did not change.
	publishedAs = "v0.0.1"
)

// published makes this working tree what a user gets who runs go install or go get with
// the module's path, and returns the environment for it. The module's files lie in a
// directory that the go command reads as a proxy (go help goproxy). All other modules come from
// the cache of this machine, so that no network is needed and what was built of them is
// not built again.
func published(t *testing.T, root string) []string {
	t.Helper()
	// Fetch what the command needs, checked against go.sum. The published module has no go.sum
	// that counts: the go command would ask sum.golang.org.
	list := exec.Command("go", "list", "-deps", "-tags", "stile_light", "./cmd/stile", "./httpdriver/...")
	list.Dir = root
	if out, err := list.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	proxy, cache, real := t.TempDir(), t.TempDir(), goEnv(t, "GOMODCACHE")
	publish(t, root, proxy)
	owner, _ := path.Split(modulePath)
	for _, dir := range []string{"", "cache/download"} {
		linkBeside(t, filepath.Join(real, filepath.FromSlash(dir)), filepath.Join(cache, filepath.FromSlash(dir)), strings.TrimSuffix(owner, "/"))
	}
	return []string{
		"GOPROXY=file://" + filepath.ToSlash(proxy) + ",file://" + filepath.ToSlash(filepath.Join(real, "cache", "download")) + "," + goEnv(t, "GOPROXY"),
		"GOSUMDB=off", "GOMODCACHE=" + cache, "GOCACHE=" + goEnv(t, "GOCACHE"),
		// Without -trimpath, a directory that is new each time has to be built again each time.
		"GOFLAGS=" + strings.TrimSpace(goEnv(t, "GOFLAGS")+" -trimpath -modcacherw -tags=stile_light"),
	}
}

// publish lays out the files of the working tree as version publishedAs of the module.
func publish(t *testing.T, root, proxy string) {
	t.Helper()
	dir := filepath.Join(proxy, filepath.FromSlash(modulePath), "@v")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"list": publishedAs + "\n", publishedAs + ".mod": string(mod),
		publishedAs + ".info": `{"Version":"` + publishedAs + `","Time":"2026-01-01T00:00:00Z"}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.Create(filepath.Join(dir, publishedAs+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z := zip.NewWriter(file)
	files := tracked(t, root)
	for _, name := range files {
		if inAnotherModule(files, name) {
			continue
		}
		w, err := z.CreateHeader(&zip.FileHeader{Name: modulePath + "@" + publishedAs + "/" + name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		r, err := os.Open(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(w, r)
		_ = r.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
}

// inAnotherModule reports whether a directory above the file, below the root, has a go.mod.
func inAnotherModule(files []string, name string) bool {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if slices.Contains(files, dir+"/go.mod") {
			return true
		}
	}
	return false
}

// linkBeside gives the directory "to" all entries of "from" as links, but not except: of the
// directories that lead to it, only what is beside it.
func linkBeside(t *testing.T, from, to, except string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	first, rest, more := strings.Cut(except, "/")
	for _, e := range entries {
		switch {
		case e.Name() == first && more:
			linkBeside(t, filepath.Join(from, first), filepath.Join(to, first), rest)
		case e.Name() != first && e.Name() != "cache":
			if err := os.Symlink(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
}
