package main

import (
	"strings"
	"testing"
)

// finder is the pattern in three corners of a QR code, by which a camera finds it.
var finder = []string{
	"#######",
	"#     #",
	"# ### #",
	"# ### #",
	"# ### #",
	"#     #",
	"#######",
}

// modules reads a drawn code back, a character for each module. It fails if the lines
// are not as long as each other.
func modules(t *testing.T, drawn string) (rows []string) {
	t.Helper()
	for line := range strings.Lines(drawn) {
		line, found := strings.CutPrefix(line, "\x1b[30;107m")
		line, ended := strings.CutSuffix(line, "\x1b[0m\n")
		if !found || !ended {
			t.Fatalf("the colours of the terminal are in %q", line)
		}
		var top, bottom strings.Builder
		for _, c := range line {
			both := map[rune]string{'█': "##", '▀': "# ", '▄': " #", ' ': "  "}[c]
			if both == "" {
				t.Fatalf("%q in a code", c)
			}
			top.WriteByte(both[0])
			bottom.WriteByte(both[1])
		}
		rows = append(rows, top.String(), bottom.String())
	}
	for _, r := range rows {
		if len(r) != len(rows[0]) {
			t.Fatalf("lines of %d and %d modules", len(rows[0]), len(r))
		}
	}
	return rows
}

// A device login on a terminal draws the address as a QR code; where none could be read,
// nothing is drawn, and the address and the code are there nevertheless.
func TestQRCode(t *testing.T) {
	t.Parallel()
	_, server := peers(t, nil, nil)
	for name, tc := range map[string]struct {
		terminal bool
		columns  int
		env      map[string]string
		drawn    bool
	}{
		"a terminal":         {true, 80, map[string]string{"LANG": "en_US.UTF-8"}, true},
		"Unicode by LC_ALL":  {true, 80, map[string]string{"LC_ALL": "C.utf8", "LANG": "C"}, true},
		"a file":             {false, 80, map[string]string{"LANG": "en_US.UTF-8"}, false},
		"no colour":          {true, 80, map[string]string{"LANG": "en_US.UTF-8", "NO_COLOR": "1"}, false},
		"no Unicode":         {true, 80, map[string]string{"LANG": "C"}, false},
		"a narrow terminal":  {true, 30, map[string]string{"LANG": "en_US.UTF-8"}, false},
		"no locale is known": {true, 80, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each waits for the device grant's interval
			c := newCLI(t)
			c.browse, c.terminal, c.columns = noBrowser(t), tc.terminal, tc.columns
			for k, v := range tc.env {
				c.env[k] = v
			}
			said := c.ok("login", server, "--grant", "device").err
			contains(t, said, "and enter the code")
			_, drawn, found := strings.Cut(said, "point a phone's camera at this:\n\n")
			if found != tc.drawn {
				t.Fatalf("drawn: %v\n%s", found, said)
			}
			if !found {
				return
			}
			drawn, _, _ = strings.Cut(drawn, "\n\n")
			rows := modules(t, drawn+"\n")
			size := len(rows[0])
			for at, corner := range map[string][2]int{"left": {quiet, quiet}, "right": {quiet, size - quiet - 7}, "below": {size - quiet - 7, quiet}} {
				for i, want := range finder {
					if got := rows[corner[0]+i][corner[1] : corner[1]+7]; got != want {
						t.Errorf("%s, line %d: %q", at, i, got)
					}
				}
			}
			for i, r := range rows {
				light := strings.Repeat(" ", quiet)
				if !strings.HasPrefix(r, light) || !strings.HasSuffix(r, light) || (i < quiet || i >= size-quiet) && strings.Contains(r, "#") {
					t.Errorf("line %d has no margin: %q", i, r)
				}
			}
		})
	}
}
