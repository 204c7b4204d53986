// Package version says which release of Stile is running: for `stile version`, for the
// User-Agent of every request and for the header of traces.
//
//	agent := version.Get().UserAgent()
//
// It reads what the Go toolchain stored in the binary, so nothing has to be set at
// link time.
//
// # Guarantees
//
//   - A program that uses Stile as a library gets the version of the library, not its
//     own.
//
// # Who should not use it
//
// A program that wants its own version; it reads debug.ReadBuildInfo.
package version

import (
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
)

// Path is the module path of Stile.
const Path = "github.com/stile-oauth/stile"

// Info is what is known about the running release.
type Info struct {
	// Module is the version of the module, "v1.4.0" or a pseudo-version;
	// "devel" for a build from a working copy without one.
	Module string `json:"version"`
	// Revision is the commit of a build from a working copy; empty otherwise.
	Revision string `json:"revision,omitempty"`
	// Modified says that the working copy had changes that were not committed.
	Modified bool `json:"modified,omitempty"`
	// Go is the version of the Go toolchain, "go1.26.0".
	Go string `json:"go"`
	// Platform is the operating system and the architecture, "linux/amd64".
	Platform string `json:"platform"`
}

// Get gives the Info of this process.
var Get = sync.OnceValue(func() Info {
	b, ok := debug.ReadBuildInfo()
	if !ok {
		b = &debug.BuildInfo{}
	}
	return of(b)
})

// of reads the build information of a binary.
func of(b *debug.BuildInfo) Info {
	i := Info{Module: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if b.Main.Path != Path {
		for _, d := range b.Deps {
			if d.Path == Path {
				if d.Replace != nil {
					d = d.Replace
				}
				i.module(d.Version)
			}
		}
		return i // the revision in b is that of another program
	}
	i.module(b.Main.Version)
	for _, s := range b.Settings {
		switch s.Key {
		case "vcs.revision":
			i.Revision = s.Value
		case "vcs.modified":
			i.Modified = s.Value == "true"
		}
	}
	return i
}

func (i *Info) module(v string) {
	if v != "" && v != "(devel)" {
		i.Module = v
	}
}

// UserAgent is the value of the User-Agent header (RFC 9110 §10.1.5),
// "stile/v1.4.0".
func (i Info) UserAgent() string { return "stile/" + i.Module }

// String is the release on one line, for the header of a trace and for a bug
// report: "stile v1.4.0, revision 1234567890ab, go1.26.0, linux/amd64".
func (i Info) String() string {
	parts := []string{"stile " + i.Module}
	if i.Revision != "" {
		r := "revision " + i.Revision[:min(len(i.Revision), 12)]
		if i.Modified {
			r += " with changes"
		}
		parts = append(parts, r)
	}
	return strings.Join(append(parts, i.Go, i.Platform), ", ")
}
