package sqlbase_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stile-oauth/stile/storage"
)

// A value that was altered in the database is reported as damaged, with the generation
// under which it can be given up. A value without a sum, from an older version, is read.
func TestAlteredValue(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() (sqlStore, error), exec func(string)) {
		s, err := open()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		g, err := s.Put(t.Context(), k, []byte("token-1"), 0, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		for _, cut := range []string{
			`substr(value, 1, length(value) - 1)`, // of the value
			`substr(value, 1, 20)`,                // within the sum
			`substr(value, 1, 44)`,                // all but the blank and the value
		} {
			exec(`CREATE TABLE whole AS SELECT value FROM stile_entry`)
			exec(`UPDATE stile_entry SET value = ` + cut)
			e, err := s.Get(t.Context(), k)
			var unreadable *storage.UnreadableError
			if !errors.As(err, &unreadable) || unreadable.Generation != g || unreadable.Key != k {
				t.Errorf("%s: %q, %v", cut, e.Value, err)
			}
			exec(`UPDATE stile_entry SET value = (SELECT value FROM whole)`)
			exec(`DROP TABLE whole`)
		}
		if e, err := s.Get(t.Context(), k); err != nil || string(e.Value) != "token-1" {
			t.Errorf("as it was: %q, %v", e.Value, err)
		}
		exec(`UPDATE stile_entry SET value = substr(value, 46)`)
		e, err := s.Get(t.Context(), k)
		if err != nil || string(e.Value) != "token-1" {
			t.Errorf("as an older version wrote it: %q, %v", e.Value, err)
		}
		if _, err := s.Put(t.Context(), k, []byte("token-2"), e.Generation, time.Time{}); err != nil {
			t.Fatal(err)
		}
		if e, err = s.Get(t.Context(), k); err != nil || string(e.Value) != "token-2" {
			t.Errorf("written over it: %q, %v", e.Value, err)
		}
	})
}
