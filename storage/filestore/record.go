package filestore

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/internal/backend"
)

// An entry's file is one line of header and the value as it came:
//
//	stile-entry-1 SHA256-OF-ALL-THAT-FOLLOWS {"key":…,"generation":…,"size":…}
//	value
//
// The sum finds damage. It does not find forgery, since somebody who can write the
// file can compute the sum; package sealed does.
const entryHead = "stile-entry-1 "

type record struct {
	Key        []byte `json:"key"` // backend.EncodeKey
	Generation uint64 `json:"generation"`
	Expires    int64  `json:"expires,omitzero"` // Unix milliseconds; 0 is never
	Size       int    `json:"size"`

	value []byte
}

func (r *record) entry() storage.Entry {
	return storage.Entry{Value: r.value, Generation: states.Generation(r.Generation), Expires: backend.ExpiryTime(r.Expires)}
}

var (
	errDamaged = errors.New("the file is damaged or incomplete")
	errForeign = errors.New("the file holds another entry: it was moved or copied here")
	errNewer   = fmt.Errorf("the file is %w", storage.ErrFormat)
)

// parseRecord reads the bytes of an entry's file.
func parseRecord(b []byte) (*record, error) {
	rest, ok := bytes.CutPrefix(b, []byte(entryHead))
	if !ok {
		if bytes.HasPrefix(b, []byte("stile-entry-")) {
			return nil, errNewer
		}
		return nil, errDamaged
	}
	sum, rest, ok := bytes.Cut(rest, []byte(" "))
	if !ok || string(sum) != sumOf(rest) {
		return nil, errDamaged
	}
	line, value, ok := bytes.Cut(rest, []byte("\n"))
	r := &record{}
	if !ok || json.Unmarshal(line, r) != nil || r.Size != len(value) || r.Generation == 0 {
		return nil, errDamaged
	}
	r.value = value
	return r, nil
}

func (r *record) bytes() ([]byte, error) {
	line, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	body := append(append(line, '\n'), r.value...)
	return append([]byte(entryHead+sumOf(body)+" "), body...), nil
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// readEntry reads the entry's file; nil if there is none.
func (p place) readEntry() (*record, error) {
	path := filepath.Join(p.shard, p.entryName())
	b, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		path = filepath.Join(p.shard, p.olderName())
		b, err = readFile(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("filestore: %w", err)
	}
	r, err := parseRecord(b)
	if err == nil && !bytes.Equal(r.Key, backend.EncodeKey(p.key)) {
		err = errForeign
	}
	if err != nil {
		return nil, &storage.UnreadableError{Key: p.key, Where: path, Err: err}
	}
	return r, nil
}

// removeEntry removes the entry's file, and first that of the older format, which
// must not come back.
func (p place) removeEntry() error {
	older := p.removeOlder()
	if errors.Is(older, fs.ErrNotExist) {
		return removeFile(p.shard, p.entryName())
	}
	if older != nil {
		return older
	}
	if err := removeFile(p.shard, p.entryName()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (p place) removeOlder() error { return removeFile(p.shard, p.olderName()) }

func (p place) writeEntry(gen uint64, value []byte, expires time.Time) error {
	r := &record{Key: backend.EncodeKey(p.key), Generation: gen, Expires: backend.ExpiryMillis(expires), Size: len(value), value: value}
	b, err := r.bytes()
	if err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	if err := writeFile(p.shard, p.entryName(), b); err != nil {
		return err
	}
	_ = p.removeOlder() // if it stays, nothing reads it
	return nil
}

// readMark gives the highest generation or fence that was ever removed from a
// shard; 0 if none was.
func readMark(shardPath string) (uint64, error) {
	path := filepath.Join(shardPath, markName)
	b, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("filestore: %w", err)
	}
	n, err := strconv.ParseUint(strings.TrimSuffix(string(b), "\n"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("filestore: %s is damaged; remove it to go on", path)
	}
	return n, nil
}

func raiseMark(shardPath string, to uint64) error {
	have, err := readMark(shardPath)
	if err != nil || have >= to {
		return err
	}
	return writeFile(shardPath, markName, append(strconv.AppendUint(nil, to, 10), '\n'))
}

// fsync is (*os.File).Sync; tests watch it.
var fsync = (*os.File).Sync

// writeFile puts a whole file in its place, and returns when the file is durable.
// The shard's lock is held, except for the format.
func writeFile(dir, name string, b []byte) (err error) {
	f, err := os.CreateTemp(dir, tempPrefix+"*") // 0600, and never an existing file
	if err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
			err = fmt.Errorf("filestore: %w", err)
		}
	}()
	if _, err := f.Write(b); err != nil {
		return err
	}
	if err := fsync(f); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := replace(f.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	return syncDir(dir)
}

func removeFile(dir, name string) error {
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	return syncDir(dir)
}
