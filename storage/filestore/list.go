package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/internal/backend"
)

// allShards gives the paths of all shards there are.
func (s *Store) allShards() ([]string, error) {
	if err := s.present(); err != nil {
		return nil, err
	}
	names, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("filestore: %w", err)
	}
	var paths []string
	for _, n := range names {
		if n.IsDir() && len(n.Name()) == 2 {
			paths = append(paths, filepath.Join(s.dir, n.Name()))
		}
	}
	return paths, nil
}

// found is what the files of one shard hold.
type found struct {
	keys       []states.Key
	entries    []storage.Entry
	unreadable []error
	err        error // the shard itself cannot be read
}

// readers is how many shards are read at the same time: opening a file takes longer
// than parsing it.
const readers = 4

// eachEntry calls each for every entry that has not expired and whose file name
// is wanted. The error names what cannot be read, after all others were given.
func (s *Store) eachEntry(ctx context.Context, wanted func(name string) bool, each func(states.Key, storage.Entry) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	paths, err := s.allShards()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	todo, read := make(chan string), make(chan found)
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for path := range todo {
				read <- s.readShard(ctx, path, wanted)
			}
		})
	}
	go func() {
		for _, path := range paths {
			todo <- path
		}
		close(todo)
		wg.Wait()
		close(read)
	}()
	defer func() { // nobody reads on after this call
		cancel()
		for range read {
		}
	}()
	var unreadable []error
	for f := range read {
		unreadable = append(unreadable, f.unreadable...)
		for i, k := range f.keys {
			if err := each(k, f.entries[i]); err != nil {
				return errors.Join(append(unreadable, err)...)
			}
		}
		if f.err != nil {
			return errors.Join(append(unreadable, f.err)...)
		}
	}
	return errors.Join(unreadable...)
}

// readShard reads the wanted entries of a shard.
func (s *Store) readShard(ctx context.Context, path string, wanted func(name string) bool) (f found) {
	if f.err = ctx.Err(); f.err != nil {
		return f
	}
	names, err := os.ReadDir(path)
	if err != nil {
		f.err = fmt.Errorf("filestore: %w", err)
		return f
	}
	for _, n := range names {
		if !strings.HasSuffix(n.Name(), entrySuffix) || !wanted(n.Name()) {
			continue
		}
		k, e, err := s.readNamed(path, n.Name())
		switch {
		case errors.Is(err, storage.ErrNotFound):
		case err != nil:
			f.unreadable = append(f.unreadable, err)
		default:
			f.keys, f.entries = append(f.keys, k), append(f.entries, e)
		}
	}
	return f
}

// readNamed reads the entry in a file. The error is ErrNotFound if the entry has
// expired, was deleted meanwhile, or was replaced by one of the newer format.
func (s *Store) readNamed(shardPath, name string) (states.Key, storage.Entry, error) {
	full := filepath.Join(shardPath, name)
	bad := func(err error) (states.Key, storage.Entry, error) {
		return states.Key{}, storage.Entry{}, fmt.Errorf("filestore: %s: %w", full, err)
	}
	b, err := readFile(full)
	if errors.Is(err, fs.ErrNotExist) {
		return states.Key{}, storage.Entry{}, storage.ErrNotFound
	}
	if err != nil {
		return bad(err)
	}
	r, err := parseRecord(b)
	if err != nil {
		return bad(err)
	}
	k, err := backend.DecodeKey(r.Key)
	if err != nil {
		return bad(err)
	}
	p := s.place(k)
	if name != p.entryName() && name != p.olderName() {
		return bad(errForeign)
	}
	e := r.entry()
	if backend.Expired(e.Expires, s.now()) {
		return k, e, storage.ErrNotFound
	}
	if name == p.olderName() {
		if _, err := os.Lstat(filepath.Join(shardPath, p.entryName())); err == nil {
			return k, e, storage.ErrNotFound
		}
	}
	return k, e, nil
}

// ofOwner picks the files of one owner by their names. Names of the older format
// do not tell the owner, so those files are read.
func ofOwner(tenant, subject string) func(name string) bool {
	suffix := ownerSuffix(tenant, subject)
	return func(name string) bool {
		return strings.HasSuffix(name, suffix) || strings.Count(name, ".") == 1
	}
}

// Keys implements storage.KeyLister.
func (s *Store) Keys(ctx context.Context, each func(states.Key) error) error {
	all := func(string) bool { return true }
	return s.eachEntry(ctx, all, func(k states.Key, _ storage.Entry) error { return each(k) })
}

// List implements storage.Lister. It reads the names of all files, and the files
// of this owner.
func (s *Store) List(ctx context.Context, tenant, subject string) ([]states.Key, error) {
	var keys []states.Key
	err := s.eachEntry(ctx, ofOwner(tenant, subject), func(k states.Key, _ storage.Entry) error {
		if k.Tenant == tenant && k.Subject == subject {
			keys = append(keys, k)
		}
		return nil
	})
	backend.SortKeys(keys)
	return keys, err
}

// Entries implements storage.EntryLister.
func (s *Store) Entries(ctx context.Context, tenant, subject string, each func(states.Key, storage.Entry, error) error) error {
	var keys []states.Key
	entries := map[states.Key]storage.Entry{}
	bad := s.eachEntry(ctx, ofOwner(tenant, subject), func(k states.Key, e storage.Entry) error {
		if k.Tenant == tenant && k.Subject == subject {
			keys, entries[k] = append(keys, k), e
		}
		return nil
	})
	backend.SortKeys(keys)
	for _, k := range keys {
		if err := each(k, entries[k], nil); err != nil {
			return err
		}
	}
	return bad
}
