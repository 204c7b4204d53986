package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func read(t *testing.T, elements ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, elements...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Building the image needs a Docker daemon, which tests do not have. So this test reads
// the definition of the image: its base has no shell, it does not run as root, and no
// shell interprets its command.
func TestImageDefinition(t *testing.T) {
	const dockerfile = ".ci/release/Dockerfile"
	last := map[string]string{}
	for line := range strings.Lines(strings.ReplaceAll(read(t, dockerfile), "\\\n", " ")) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch name {
		case "RUN", "ADD":
			t.Errorf("%s has %s: the image holds what goreleaser built, and the base has no shell", dockerfile, name)
		case "", "#":
		default:
			last[name] = rest
		}
	}
	for name, want := range map[string]string{
		"FROM":       `^gcr\.io/distroless/static-debian\d+:nonroot(@sha256:[0-9a-f]{64})?$`,
		"USER":       `^nonroot:nonroot$`,
		"COPY":       `^\$TARGETPLATFORM/stile /usr/bin/stile$`,
		"ENTRYPOINT": `^\["/usr/bin/stile"\]$`,
		"CMD":        `^\[.*\]$`,
	} {
		if !regexp.MustCompile(want).MatchString(last[name]) {
			t.Errorf("%s: %s is %q, which is not %s", dockerfile, name, last[name], want)
		}
	}
	var config struct {
		Images []struct {
			Dockerfile string   `yaml:"dockerfile"`
			Platforms  []string `yaml:"platforms"`
		} `yaml:"dockers_v2"`
	}
	if err := yaml.Unmarshal([]byte(read(t, ".goreleaser.yaml")), &config); err != nil {
		t.Fatal(err)
	}
	if len(config.Images) != 1 || config.Images[0].Dockerfile != dockerfile || len(config.Images[0].Platforms) != 2 {
		t.Errorf("the images of a release are %+v, want %s for two platforms", config.Images, dockerfile)
	}
}

// CI builds only linux/amd64, so this test reads the list of all targets.
func TestReleaseTargets(t *testing.T) {
	var config struct {
		Env    []string `yaml:"env"`
		Builds []struct {
			Targets []string `yaml:"targets"`
			Flags   []string `yaml:"flags"`
			Ldflags []string `yaml:"ldflags"`
			Stamp   string   `yaml:"mod_timestamp"`
		} `yaml:"builds"`
		Release struct {
			Draft bool `yaml:"draft"`
		} `yaml:"release"`
	}
	if err := yaml.Unmarshal([]byte(read(t, ".goreleaser.yaml")), &config); err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, b := range config.Builds {
		targets = append(targets, b.Targets...)
		if !slices.Contains(b.Flags, "-trimpath") || !slices.Contains(b.Ldflags, "-s -w") || b.Stamp == "" {
			t.Errorf("the build of %v is not stripped and reproducible", b.Targets)
		}
	}
	slices.Sort(targets)
	want := []string{"darwin_amd64", "darwin_arm64", "linux_amd64", "linux_arm64", "windows_amd64", "windows_arm64"}
	if !slices.Equal(targets, want) || !slices.Contains(config.Env, "CGO_ENABLED=0") {
		t.Errorf("a release is for %v with %v, want %v without cgo", targets, config.Env, want)
	}
	if !config.Release.Draft {
		t.Error("a release is published without a person who looks at it")
	}
}

// Actions are pinned to a commit. Otherwise anyone who can move a tag could run code
// with the token of a release.
func TestPinnedActions(t *testing.T) {
	names, err := filepath.Glob(filepath.Join("..", "..", ".github", "workflows", "*.yml"))
	if err != nil || len(names) < 2 {
		t.Fatalf("workflows: %v, %v", names, err)
	}
	pinned := regexp.MustCompile(`^[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	for _, name := range names {
		for line := range strings.Lines(read(t, ".github", "workflows", filepath.Base(name))) {
			if _, action, ok := strings.Cut(line, "uses: "); ok && !pinned.MatchString(strings.TrimSpace(action)) {
				t.Errorf("%s: %s is not pinned to a commit", filepath.Base(name), strings.TrimSpace(action))
			}
		}
	}
}
