package sealed

import (
	"context"
	"errors"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// Rekeyed is what Rekey did.
type Rekeyed struct {
	Sealed     int                        // entries sealed anew
	Current    int                        // entries that were sealed with the key already
	Gone       int                        // entries that went or expired meanwhile
	Unreadable []*storage.UnreadableError // entries that were left as they are
}

// Rekey seals every entry of everybody that is sealed with another key anew, with
// the current one. Each is replaced under its generation, so a writer at work at
// the same time loses nothing: Rekey looks again. (The writer meets a conflict,
// reloads, and finds the same value.) An entry that cannot be opened is left alone
// and reported. A failure of the store ends Rekey, and running it again goes on.
func (s *Store) Rekey(ctx context.Context) (Rekeyed, error) {
	var r Rekeyed
	var keys []states.Key
	err := s.Keys(ctx, func(k states.Key) error {
		keys = append(keys, k)
		return nil
	})
	if err != nil {
		return r, err
	}
	for _, k := range keys {
		if err := s.rekeyOne(ctx, k, &r); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (s *Store) rekeyOne(ctx context.Context, k states.Key, r *Rekeyed) error {
	for {
		e, id, err := s.get(ctx, k)
		unreadable := (*storage.UnreadableError)(nil)
		switch {
		case errors.Is(err, storage.ErrNotFound):
			r.Gone++
			return nil
		case errors.As(err, &unreadable):
			r.Unreadable = append(r.Unreadable, unreadable)
			return nil
		case err != nil:
			return err
		}
		if id == s.sealing().ID() {
			r.Current++
			return nil
		}
		_, err = s.Put(ctx, k, e.Value, e.Generation, e.Expires)
		if err == nil {
			r.Sealed++
		}
		if !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
}
