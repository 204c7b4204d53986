//go:build unix

package sqlitestore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/sqlitestore"
)

const writerEnv = "STILE_TEST_SQLITE_WRITER"

// TestWriter is a process that puts for ever and says which generation it knows
// to be kept; the tests below run it and kill it.
func TestWriter(t *testing.T) {
	path := os.Getenv(writerEnv)
	if path == "" {
		t.Log("runs only inside the processes that the tests below begin")
		return
	}
	s, err := sqlitestore.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	for {
		e, err := s.Get(context.Background(), k)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			t.Fatal(err)
		}
		g, err := s.Put(context.Background(), k, make([]byte, 9000), e.Generation, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("kept", g)
	}
}

func TestKilledWriter(t *testing.T) { killWriters(t, 6) }

func killWriters(t *testing.T, kills int) {
	path := filepath.Join(t.TempDir(), "killed.db")
	var highest states.Generation
	for i := range kills {
		cmd := exec.Command(os.Args[0], "-test.run=^TestWriter$")
		cmd.Env = append(os.Environ(), writerEnv+"="+path)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		var timer *time.Timer
		var kept states.Generation
		for lines.Scan() {
			var g states.Generation
			if n, _ := fmt.Sscanf(lines.Text(), "kept %d", &g); n == 1 && g > kept {
				kept = g
			}
			if timer == nil { // the instant is left to chance
				timer = time.AfterFunc(time.Duration(rand.IntN(30_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
			}
		}
		if timer == nil {
			t.Fatalf("kill %d: the writer wrote nothing: %v", i, cmd.Wait())
		}
		timer.Stop()
		_ = cmd.Wait()
		s := open(t, path)
		e, err := s.Get(t.Context(), k)
		// The last line may have been cut off in the middle of the number.
		if err != nil || e.Generation < highest || e.Generation < kept || len(e.Value) != 9000 {
			t.Fatalf("kill %d: generation %d of %d bytes, %v; the writer knew of %d", i, e.Generation, len(e.Value), err, kept)
		}
		if highest, err = s.Put(t.Context(), k, make([]byte, 9000), e.Generation, time.Time{}); err != nil || highest <= e.Generation {
			t.Fatalf("kill %d: generation %d over %d, %v", i, highest, e.Generation, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
