package version

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestOf(t *testing.T) {
	vcs := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"}}
	for _, x := range []struct {
		name  string
		build debug.BuildInfo
		agent string
		line  string
	}{
		{"a release", debug.BuildInfo{Main: debug.Module{Path: Path, Version: "v1.4.0"}}, "stile/v1.4.0", "stile v1.4.0, go"},
		{"a working copy", debug.BuildInfo{Main: debug.Module{Path: Path, Version: "(devel)"}, Settings: vcs}, "stile/devel", "stile devel, revision 0123456789ab with changes, go"},
		{"a program that uses the library", debug.BuildInfo{
			Main: debug.Module{Path: "example.com/agent", Version: "v9.9.9"}, Settings: vcs,
			Deps: []*debug.Module{{Path: "example.com/other", Version: "v3.0.0"}, {Path: Path, Version: "v1.2.3"}},
		}, "stile/v1.2.3", "stile v1.2.3, go"},
		{"a program with a copy of the library", debug.BuildInfo{
			Main: debug.Module{Path: "example.com/agent"},
			Deps: []*debug.Module{{Path: Path, Version: "v1.2.3", Replace: &debug.Module{Path: "../stile"}}},
		}, "stile/devel", "stile devel, go"},
		{"no build information", debug.BuildInfo{}, "stile/devel", "stile devel, go"},
	} {
		t.Run(x.name, func(t *testing.T) {
			i := of(&x.build)
			if got := i.UserAgent(); got != x.agent {
				t.Errorf("User-Agent %q, want %q", got, x.agent)
			}
			if got := i.String(); !strings.HasPrefix(got, x.line) {
				t.Errorf("%q does not begin with %q", got, x.line)
			}
		})
	}
}
