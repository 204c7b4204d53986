package open

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/stile-oauth/stile/storage/filestore"
)

// ErrSpec says that the text names no store.
var ErrSpec = errors.New("open: a store is one of file, file:DIR, sqlite:PATH, postgres:URL, redis:URL, memory, env:NAME")

// spec is a parsed text.
type spec struct{ kind, rest string }

func parse(text string) (spec, error) {
	kind, rest, _ := strings.Cut(text, ":")
	switch kind {
	case "", "file":
		if text == "file:" || kind == "" && text != "" {
			return spec{}, ErrSpec
		}
		return spec{"file", rest}, nil
	case "memory":
		if text != "memory" {
			return spec{}, ErrSpec
		}
		return spec{kind: kind}, nil
	case "sqlite", "env":
		if rest == "" {
			return spec{}, ErrSpec
		}
		return spec{kind, rest}, nil
	case "postgres", "postgresql":
		if strings.HasPrefix(rest, "//") {
			rest = text
		}
		if rest == "" {
			return spec{}, ErrSpec
		}
		return spec{"postgres", rest}, nil
	case "redis", "rediss", "redis+cluster", "rediss+cluster", "unix":
		if strings.HasPrefix(rest, "//") {
			rest = text
		} else if kind != "redis" {
			return spec{}, ErrSpec
		}
		if rest == "" {
			return spec{}, ErrSpec
		}
		return spec{"redis", rest}, nil
	}
	return spec{}, ErrSpec // and nothing of the text: it may hold a password
}

// exists looks for the files of a store without opening it.
func (s spec) exists(o Options) error {
	var missing bool
	switch s.kind {
	case "file":
		dir, err := s.dir(o)
		if err != nil {
			return err
		}
		missing = !filestore.Begun(dir)
	case "sqlite":
		info, err := os.Stat(s.rest)
		missing = errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0
	}
	if missing {
		return &NoStoreError{s.place(o)}
	}
	return nil
}

// dir is the directory of a store of files.
func (s spec) dir(o Options) (string, error) {
	if s.rest != "" {
		return s.rest, nil
	}
	return filestore.DefaultDir(o.Getenv)
}

// place says where the store is, without a password.
func (s spec) place(o Options) string {
	switch s.kind {
	case "file":
		dir, _ := s.dir(o) // exists has found it
		return dir
	case "sqlite":
		return s.rest
	}
	return s.kind
}
