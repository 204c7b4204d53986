package kit

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Judgement is the result of a scenario's checks.
type Judgement struct {
	File      string // the checks, if the suite left any that can be read
	Succeeded int
	Faults    []string
}

// Judge reads the checks.json that the suite left somewhere below dir. Everything
// except a success or a mere remark is a fault, even a warning. A scenario in which
// nothing succeeded, or that did not run, is a fault too.
func Judge(dir string) Judgement {
	var j Judgement
	fault := func(format string, args ...any) { j.Faults = append(j.Faults, fmt.Sprintf(format, args...)) }
	var file string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "checks.json" {
			file = path
		}
		return err
	})
	if err != nil || file == "" {
		fault("the suite left no checks.json: the scenario did not run")
		return j
	}
	b, err := os.ReadFile(file)
	if err != nil {
		fault("%v", err)
		return j
	}
	var checks []struct{ ID, Description, Status, ErrorMessage string }
	if err := json.Unmarshal(b, &checks); err != nil {
		fault("%s: %v", file, err)
		return j
	}
	j.File = file
	for _, c := range checks {
		switch c.Status {
		case "SUCCESS":
			j.Succeeded++
		case "INFO", "SKIPPED":
		default: // FAILURE, WARNING, and whatever else a release may add
			what := c.Description
			if c.ErrorMessage != "" {
				what = c.ErrorMessage
			}
			fault("%s %s: %s", c.Status, c.ID, what)
		}
	}
	if j.Succeeded == 0 {
		fault("no check succeeded")
	}
	return j
}
