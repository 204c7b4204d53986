package keyringstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/filestore"
	"github.com/stile-oauth/stile/storage/sealed"
)

// recordKey names the entry that says which keys the store is sealed with. Its
// value holds no secret.
var recordKey = states.Key{Kind: sealed.KindKeys, Name: "keys"}

// keyRecord is that entry. Keys[0] is the one to seal with.
type keyRecord struct {
	Version int      `json:"version"`
	Keys    []keyRef `json:"keys"`
}

// maxKeys bounds how many keys a store may name.
const maxKeys = 16

// Store is a sealed store that knows where its keys are.
type Store struct {
	*sealed.Store
	inner storage.Store

	mu   sync.Mutex
	opts []Options // where to look for keys: as opened, then as rekeyed
}

// OpenDefault opens the store for one user on one machine: files in o.Dir
// (filestore.DefaultDir if empty), sealed. Show the Notice, if there is one, to
// the user.
func OpenDefault(ctx context.Context, o Options) (storage.Store, Notice, error) {
	if o.Dir == "" {
		d, err := filestore.DefaultDir(o.Getenv)
		if err != nil {
			return nil, "", err
		}
		o.Dir = d
	}
	files, err := filestore.Open(o.Dir)
	if err != nil {
		return nil, "", err
	}
	s, notice, err := Seal(ctx, files, o)
	if err != nil {
		return nil, "", err
	}
	return s, notice, nil
}

// Seal returns inner sealed with the key that it was begun with; if it was not
// begun, Seal begins it. A key that cannot be reached is an error that says where
// it should be; no other key is made in its place.
func Seal(ctx context.Context, inner storage.Store, o Options) (*Store, Notice, error) {
	for {
		rec, _, err := readKeys(ctx, inner)
		if errors.Is(err, storage.ErrNotFound) {
			if err = begin(ctx, inner, o); err == nil || errors.Is(err, storage.ErrConflict) {
				continue // ours, or that of a process that was quicker
			}
		}
		if err != nil {
			return nil, "", err
		}
		first := rec.Keys[0]
		if o.Source != Auto && o.Source != first.Source {
			return nil, "", fmt.Errorf("keyringstore: the store is sealed with a key from the source %q, not %q; rekeying it changes that", string(first.Source), string(o.Source))
		}
		s := &Store{inner: inner, opts: []Options{o}}
		key, err := s.load(ctx, first)
		if err != nil {
			return nil, "", &KeyError{ID: first.ID, Source: first.Source, Err: err}
		}
		if s.Store, err = sealed.New(inner, key, sealed.Lookup(s.lookup)); err != nil {
			return nil, "", err
		}
		var notice Notice
		if first.Source == KeyFile {
			notice = o.fileNotice(first.ID)
		}
		return s, notice, nil
	}
}

// Source is where the key that the store is sealed with comes from.
func (s *Store) Source(ctx context.Context) (Source, error) {
	rec, _, err := readKeys(ctx, s.inner)
	if err != nil {
		return "", err
	}
	return rec.Keys[0].Source, nil
}

// IsSealed tells whether a store was begun by Seal.
func IsSealed(ctx context.Context, inner storage.Store) (bool, error) {
	_, err := inner.Get(ctx, recordKey)
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// KeyError says that the key that a store is sealed with cannot be had.
type KeyError struct {
	ID     string
	Source Source
	Err    error
}

func (e *KeyError) Error() string { return e.Err.Error() }
func (e *KeyError) Unwrap() error { return e.Err }

// Forget removes the record of the sealing keys from a store that holds nothing else, so
// that Seal begins the store again with a new key. It is for a store whose key is lost.
// removed is false if the store holds something, or cannot tell.
func Forget(ctx context.Context, inner storage.Store) (removed bool, err error) {
	l, ok := inner.(storage.KeyLister)
	if !ok {
		return false, nil
	}
	empty := true
	err = l.Keys(ctx, func(k states.Key) error {
		empty = empty && k.Kind == sealed.KindKeys
		return nil
	})
	if err != nil || !empty {
		return false, err
	}
	_, gen, err := readKeys(ctx, inner)
	if err == nil {
		err = inner.Delete(ctx, recordKey, gen)
	}
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func begin(ctx context.Context, inner storage.Store, o Options) error {
	_, ref, undo, err := o.begin(ctx)
	if err != nil {
		return err
	}
	err = writeKeys(ctx, inner, keyRecord{Keys: []keyRef{ref}}, 0)
	if errors.Is(err, storage.ErrConflict) {
		undo()
	}
	return err
}

func readKeys(ctx context.Context, inner storage.Store) (keyRecord, states.Generation, error) {
	var rec keyRecord
	e, err := inner.Get(ctx, recordKey)
	if err != nil {
		return rec, 0, err
	}
	err = json.Unmarshal(e.Value, &rec)
	switch {
	case rec.Version > 1:
		err = fmt.Errorf("it is %w", storage.ErrFormat)
	case err != nil || rec.Version != 1 || len(rec.Keys) == 0 || len(rec.Keys) > maxKeys:
		err = errors.New("it is not the list of sealing keys")
	}
	if err != nil {
		return rec, 0, &storage.UnreadableError{Key: recordKey, Generation: e.Generation, Err: err}
	}
	return rec, e.Generation, nil
}

func writeKeys(ctx context.Context, inner storage.Store, rec keyRecord, over states.Generation) error {
	rec.Version = 1
	b, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("keyringstore: %w", err)
	}
	_, err = inner.Put(ctx, recordKey, b, over, time.Time{})
	return err
}

// load looks for a key in every place that it was told of.
func (s *Store) load(ctx context.Context, ref keyRef) (sealed.Key, error) {
	s.mu.Lock()
	opts := s.opts
	s.mu.Unlock()
	var errs []error
	for _, o := range opts {
		key, err := o.load(ctx, ref)
		if err == nil {
			return key, nil
		}
		errs = append(errs, err)
	}
	return sealed.Key{}, errors.Join(errs...)
}

// lookup is asked for a key that this process does not have yet: an older one,
// or one that another process has rotated to. From then on we seal with that
// one, too.
func (s *Store) lookup(ctx context.Context, id string) (sealed.Key, error) {
	rec, _, err := readKeys(ctx, s.inner)
	if err != nil {
		return sealed.Key{}, err
	}
	for i, ref := range rec.Keys {
		if ref.ID != id {
			continue
		}
		key, err := s.load(ctx, ref)
		if err == nil && i == 0 {
			err = s.Rotate(key)
		}
		return key, err
	}
	return sealed.Key{}, errors.New("the store's list of keys does not name it")
}

// Rekey makes a new key as to says, seals everything with it, and forgets all
// older keys except the previous one, which a process that is still running may
// yet seal with. (The keys themselves stay where they are: backups may need
// them.) If Rekey fails half way, all keys are kept, and it can be run again. It
// also keeps all keys if there are entries that cannot be read.
func (s *Store) Rekey(ctx context.Context, to Options) (sealed.Rekeyed, Notice, error) {
	var done sealed.Rekeyed
	rec, gen, err := readKeys(ctx, s.inner)
	if err != nil {
		return done, "", err
	}
	if len(rec.Keys) >= maxKeys {
		return done, "", fmt.Errorf("keyringstore: the store names %d keys already; resolve what cannot be read first", len(rec.Keys))
	}
	if to.Dir == "" {
		s.mu.Lock()
		to.Dir = s.opts[0].Dir
		s.mu.Unlock()
	}
	key, ref, undo, err := to.begin(ctx)
	if err != nil {
		return done, "", err
	}
	for _, old := range rec.Keys {
		if old.ID == ref.ID {
			return done, "", fmt.Errorf("keyringstore: the store is sealed with the key %s already; name another key file", ref.ID)
		}
	}
	rec.Keys = append([]keyRef{ref}, rec.Keys...)
	if err := writeKeys(ctx, s.inner, rec, gen); err != nil {
		undo()
		if errors.Is(err, storage.ErrConflict) {
			err = errors.New("keyringstore: another process is rekeying the store")
		}
		return done, "", err
	}
	s.mu.Lock()
	s.opts = append(s.opts, to)
	s.mu.Unlock()
	if err := s.Rotate(key); err != nil {
		return done, "", err
	}
	var notice Notice
	if ref.Source == KeyFile {
		notice = to.fileNotice(ref.ID)
	}
	if done, err = s.Store.Rekey(ctx); err != nil || len(done.Unreadable) > 0 || len(rec.Keys) <= 2 {
		return done, notice, err
	}
	rec, gen, err = readKeys(ctx, s.inner)
	if err == nil && rec.Keys[0].ID == ref.ID {
		rec.Keys = rec.Keys[:2]
		err = writeKeys(ctx, s.inner, rec, gen)
	}
	return done, notice, err
}

func removeKeyFile(path string) { _ = os.Remove(path) }
