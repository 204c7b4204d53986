package sqlitestore_test

import (
	"context"
	"database/sql/driver"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"modernc.org/sqlite"
)

// settings are those of each connection to a database whose name has "durable" in it.
var settings struct {
	sync.Mutex
	seen []string
}

// The hook is registered before any test opens a database, as the driver wants it.
func init() {
	sqlite.RegisterConnectionHook(func(c sqlite.ExecQuerierContext, dsn string) error {
		if !strings.Contains(dsn, "durable") {
			return nil
		}
		var out []string
		for _, name := range []string{"journal_mode", "synchronous"} {
			v, err := pragma(c, name)
			if err != nil {
				return err
			}
			out = append(out, name+" "+v)
		}
		settings.Lock()
		defer settings.Unlock()
		settings.seen = append(settings.seen, strings.Join(out, ", "))
		return nil
	})
}

func pragma(c sqlite.ExecQuerierContext, name string) (string, error) {
	rows, err := c.QueryContext(context.Background(), "PRAGMA "+name, nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = rows.Close() }()
	value := make([]driver.Value, 1)
	err = rows.Next(value)
	return fmt.Sprint(value[0]), err
}

// A commit is on the disk when it is answered: each connection writes the log ahead and
// syncs it every time.
func TestEveryConnectionIsDurable(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "durable.db"))
	if _, err := s.Put(t.Context(), k, []byte("v"), 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	settings.Lock()
	defer settings.Unlock()
	const full = "2"
	for _, have := range settings.seen {
		if have != "journal_mode wal, synchronous "+full {
			t.Errorf("a connection has %s", have)
		}
	}
	if len(settings.seen) == 0 {
		t.Error("no connection was seen")
	}
}
