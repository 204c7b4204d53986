package main

import (
	"bytes"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	fenced     = regexp.MustCompile("(?ms)^ *```.*?^ *```[ \t]*$|^ *~~~.*?^ *~~~[ \t]*$")
	codeSpan   = regexp.MustCompile("`[^`\n]*`")
	mdLink     = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	htmlLink   = regexp.MustCompile(`(?:href|src)="([^"]+)"`)
	explicitID = regexp.MustCompile(`(?:id|name)="([^"]+)"`)
	mdHeading  = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *#*$`)
	notInSlug  = regexp.MustCompile(`[^\p{L}\p{N}\-_ ]+`)

	// A page of docs that is named in code, a script or a message.
	pageRef = regexp.MustCompile(`\bdocs/([a-z0-9-]+\.(?:md|svg))(#[A-Za-z0-9-]+)?`)
	// A row of the decision tables that is named only by its anchor.
	rowRef = regexp.MustCompile(`(?:^|[\s(",])(#t(?:10|[1-9])[a-c]?(?:-[a-z0-9-]+)?)\b`)
	// A source that is not in the repository.
	elsewhere = regexp.MustCompile(`design §|field notes|house table|\b[Tt]he catalogue\b|\bcatalogue,`)
	// A row that is named in a way that nobody outside can follow.
	bareRow = regexp.MustCompile(`\b(?:T(?:10|[1-9])\.[0-9]+|T8[abc]|(?:[Bb]y|of|under|in|see) T(?:10|[1-9]))\b|design §|field notes|house table|\bthe catalogue\b|\bcatalogue,`)
	// A table that the comment of a script names without its page. In code, T1 and so on
	// can also be the generations of a token.
	bareTable = regexp.MustCompile(`\bT(?:10|[1-9])\b`)
)

// anchors are the places in a page that a link can name.
func anchors(text string) map[string]bool {
	out := map[string]bool{}
	plain := fenced.ReplaceAllString(text, "")
	for _, m := range explicitID.FindAllStringSubmatch(plain, -1) {
		out[m[1]] = true
	}
	for _, m := range mdHeading.FindAllStringSubmatch(plain, -1) {
		title := strings.NewReplacer("`", "", "*", "").Replace(m[1])
		slug := strings.ReplaceAll(notInSlug.ReplaceAllString(strings.ToLower(title), ""), " ", "-")
		for n, s := 1, slug; ; n++ {
			if !out[s] {
				out[s] = true
				break
			}
			s = slug + "-" + string(rune('0'+n))
		}
	}
	return out
}

// pages reads every Markdown file of the repository, by its path with slashes.
func pages(t *testing.T, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, name := range tracked(t, root) {
		if strings.HasSuffix(name, ".md") && !strings.Contains(name, "testdata/") {
			b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
			if err != nil {
				t.Fatal(err)
			}
			out[name] = string(b)
		}
	}
	if len(out) < 10 {
		t.Fatalf("only %d pages were found", len(out))
	}
	return out
}

// tracked lists the files of the repository, or those of the directory if it is not a
// clone.
func tracked(t *testing.T, root string) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-co", "--exclude-standard", "-z")
	cmd.Dir = root
	if b, err := cmd.Output(); err == nil {
		var out []string
		for f := range bytes.SplitSeq(bytes.TrimRight(b, "\x00"), []byte{0}) {
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(string(f)))); err == nil {
				out = append(out, string(f))
			}
		}
		return out
	}
	var out []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != root && (d.Name() == ".git" || d.Name() == "bin" || d.Name() == ".cache" || d.Name() == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(root, name)
		out = append(out, filepath.ToSlash(rel))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestLinks follows every link in a page that leads to a place in this repository.
func TestLinks(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	all := pages(t, root)
	ids := map[string]map[string]bool{}
	for name, text := range all {
		ids[name] = anchors(text)
	}
	links := 0
	for _, name := range slices.Sorted(maps.Keys(all)) {
		text := codeSpan.ReplaceAllString(fenced.ReplaceAllString(all[name], ""), "")
		found := append(mdLink.FindAllStringSubmatch(text, -1), htmlLink.FindAllStringSubmatch(text, -1)...)
		for _, m := range found {
			u, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: %q is no link: %v", name, m[1], err)
				continue
			}
			if u.Scheme != "" {
				continue
			}
			links++
			to := name
			if u.Path != "" {
				to = path.Join(path.Dir(name), u.Path)
			}
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(to))); err != nil {
				t.Errorf("%s links to %s, which is not there", name, m[1])
				continue
			}
			if u.Fragment != "" && ids[to] != nil && !ids[to][u.Fragment] {
				t.Errorf("%s links to %s, where there is no #%s", name, to, u.Fragment)
			}
		}
	}
	if links < 100 {
		t.Errorf("only %d links were found", links)
	}
}

// TestCitations resolves what code, scripts and pages cite from docs: a page with its
// anchor, or a row of the decision tables. A citation that nobody outside can follow is
// an error.
func TestCitations(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	all := pages(t, root)
	ids := map[string]map[string]bool{}
	for name, text := range all {
		ids[name] = anchors(text)
	}
	rows := ids["docs/decision-tables.md"]
	cited := 0
	for _, name := range tracked(t, root) {
		script := strings.HasPrefix(name, "testdata/scripts/")
		switch ext := path.Ext(name); {
		case name == "cmd/stile-docs/links_test.go", name == "states/rules/rules_test.go":
			continue
		case ext == ".go", ext == ".md", ext == ".yaml", ext == ".yml", ext == ".sh", name == "Makefile", script:
		default:
			continue
		}
		b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(string(b), "\n") {
			if script && !strings.HasPrefix(line, "#") {
				continue
			}
			for _, m := range pageRef.FindAllStringSubmatch(line, -1) {
				page := "docs/" + m[1]
				if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(page))); err != nil {
					t.Errorf("%s:%d cites %s, which is not there", name, n+1, page)
					continue
				}
				cited++
				// If an anchor ends in a hyphen, the code adds the rest.
				if id := strings.TrimPrefix(m[2], "#"); id != "" && !ids[page][id] && !strings.HasSuffix(id, "-") {
					t.Errorf("%s:%d cites %s, where there is no #%s", name, n+1, page, id)
				}
			}
			if m := elsewhere.FindString(line); m != "" && path.Ext(name) == ".md" {
				t.Errorf("%s:%d cites %q, which is not in the repository", name, n+1, m)
			}
			if path.Ext(name) == ".go" || script {
				for _, m := range rowRef.FindAllStringSubmatch(line, -1) {
					cited++
					if !rows[m[1][1:]] {
						t.Errorf("%s:%d cites %s, which docs/decision-tables.md does not have", name, n+1, m[1])
					}
				}
				m := bareRow.FindString(line)
				if m == "" && script {
					m = bareTable.FindString(line)
				}
				if m != "" {
					t.Errorf("%s:%d cites %q: cite docs/decision-tables.md with an anchor", name, n+1, m)
				}
			}
		}
	}
	if cited < 300 {
		t.Errorf("only %d citations were found", cited)
	}
}

func TestAnchors(t *testing.T) {
	got := anchors("# The `iss` parameter (RFC 9207)\n\n## Numbers\n\n## Numbers\n\n<a id=\"t1-1\"></a>\n\n```\n# a comment\n```\n")
	want := map[string]bool{"the-iss-parameter-rfc-9207": true, "numbers": true, "numbers-1": true, "t1-1": true}
	if !maps.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
}
