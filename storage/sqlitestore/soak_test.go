//go:build soak && unix

package sqlitestore_test

import "testing"

func TestKilledWriterLong(t *testing.T) { killWriters(t, 200) }
