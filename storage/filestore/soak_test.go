//go:build soak && unix

package filestore_test

import "testing"

func TestKilledWriterLong(t *testing.T) { killWriters(t, 200) }
