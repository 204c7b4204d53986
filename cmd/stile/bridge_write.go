package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// writeEntry puts an entry into a file, after it has shown the difference.
func (a *app) writeEntry(file string, h hostFormat, name string, e entry) error {
	before, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return usage("--file: %w", err)
	}
	into := e.intoJSON
	if h.toml {
		into = e.intoTOML
	}
	after, err := into(before, h.member, name)
	if err != nil {
		var own *failure
		if errors.As(err, &own) {
			own.err = fmt.Errorf("%s: %w", file, own.err)
		}
		return err
	}
	if bytes.Equal(before, after) {
		a.say("%s has the entry already.\n", file)
		return nil
	}
	a.say("%s:\n", file)
	for _, line := range difference(textLines(before), textLines(after)) {
		a.say("%s\n", line)
	}
	if err := replaceFile(file, after); err != nil {
		return failed("%s: %w", file, err)
	}
	a.say("Written. Restart the host.\n")
	return nil
}

// intoJSON puts the entry into the object called holder, and leaves all else as it is.
func (e entry) intoJSON(before []byte, holder, name string) ([]byte, error) {
	alone := object{{name, marshalled(e.members())}}
	if len(bytes.TrimSpace(before)) == 0 {
		return indented(object{{holder, marshalled(alone)}}), nil
	}
	ed := edit(before)
	var whole, servers object
	if err := json.Unmarshal(ed.plain, &whole); err != nil {
		return nil, &failure{code: exitUsage, err: fmt.Errorf("this is not JSON, with or without comments: %w", err), advice: "mend the file first; nothing was changed"}
	}
	list, _, err := spans(ed.plain, ed.root())
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(list, func(s span) bool { return s.name == holder })
	if at < 0 {
		return ed.put(ed.root(), holder, marshalled(alone))
	}
	if err := json.Unmarshal(whole.get(holder), &servers); err != nil {
		return nil, usage("%s is not an object", holder)
	}
	if have := servers.get(name); len(have) > 0 {
		var kept object
		var there entry
		_ = json.Unmarshal(have, &there)
		if json.Unmarshal(have, &kept) != nil || there.server() != e.server() {
			return nil, taken(name)
		}
		was := string(marshalled(kept))
		for _, m := range e.members() {
			kept = kept.set(m.name, m.value)
		}
		if string(marshalled(kept)) == was {
			return before, nil
		}
		return ed.put(list[at].from, name, marshalled(kept))
	}
	return ed.put(list[at].from, name, marshalled(e.members()))
}

// intoTOML adds a table to a text of TOML.
func (e entry) intoTOML(before []byte, _, name string) ([]byte, error) {
	text := string(before)
	if table, found := tomlTable(text, name); found {
		if strings.Contains(table, strings.TrimSpace(e.toml(name))) {
			return before, nil
		}
		return nil, taken(name)
	}
	if tomlInline.MatchString(text) {
		return nil, &failure{code: exitUsage, err: errors.New("mcp_servers has a value, so no table can be added to it"), advice: "add by hand what the command prints without --write"}
	}
	if text != "" {
		text = strings.TrimRight(text, "\r\n") + "\n\n"
	}
	return []byte(text + e.toml(name)), nil
}

// taken says that the file has another entry of this name.
func taken(name string) error {
	return &failure{
		code: exitUsage, err: fmt.Errorf("there is another entry called %q", name),
		advice: "choose a name with --name NAME, or change the entry by hand; nothing was changed",
	}
}

// replaceFile writes a file as a whole and keeps its permissions. Only the owner can
// read a new file.
func replaceFile(file string, content []byte) error {
	if to, err := filepath.EvalSymlinks(file); err == nil {
		file = to
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	mode := fs.FileMode(0o600)
	if st, err := os.Stat(file); err == nil {
		mode = st.Mode().Perm()
	}
	t, err := os.CreateTemp(filepath.Dir(file), ".stile-*")
	if err != nil {
		return err
	}
	_, err = t.Write(content)
	err = errors.Join(err, t.Chmod(mode), t.Close())
	if err == nil {
		err = os.Rename(t.Name(), file)
	}
	if err != nil {
		_ = os.Remove(t.Name())
	}
	return err
}

func (a *app) printIndented(o object) error {
	a.say("%s", raw(indented(o)))
	return nil
}

func indented(o object) []byte {
	var b bytes.Buffer
	_ = json.Indent(&b, marshalled(o), "", "  ")
	b.WriteByte('\n')
	return b.Bytes()
}

func textLines(text []byte) []string {
	if len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// difference gives the removed (-) and added (+) lines between the common beginning
// and the common end, with a few lines around them.
func difference(before, after []string) []string {
	const around = 2
	start := 0
	for start < len(before) && start < len(after) && before[start] == after[start] {
		start++
	}
	end := 0
	for end < len(before)-start && end < len(after)-start && before[len(before)-1-end] == after[len(after)-1-end] {
		end++
	}
	var out []string
	add := func(sign string, lines []string) {
		for _, l := range lines {
			out = append(out, sign+l)
		}
	}
	add("  ", before[max(0, start-around):start])
	add("- ", before[start:len(before)-end])
	add("+ ", after[start:len(after)-end])
	add("  ", after[len(after)-end:min(len(after), len(after)-end+around)])
	return out
}
