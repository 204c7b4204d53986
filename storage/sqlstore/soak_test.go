//go:build soak && unix

package sqlstore_test

import "testing"

func TestSQLiteKilledWriterLong(t *testing.T) { killWriters(t, 200) }
