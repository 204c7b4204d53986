package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage/open"
)

// writes counts the writes that arrive.
type writes struct {
	to io.Writer
	n  atomic.Int64
}

func (w *writes) Write(p []byte) (int, error) { w.n.Add(1); return w.to.Write(p) }

// TestStatusOfMany: every login is shown, in order, and the lines go out together,
// because a write for each would take longer than reading the logins.
func TestStatusOfMany(t *testing.T) {
	const logins = 300
	c := newCLI(t)
	c.env["STILE_STORE"] = "sqlite:" + filepath.Join(t.TempDir(), "stile.db")
	st, closing, _, err := open.Open(t.Context(), c.env["STILE_STORE"], open.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range logins {
		server := fmt.Sprintf("https://mcp.example/%03d", i)
		value, err := states.Encode(&states.Credential{Version: states.RecordVersion, Current: &states.Token{
			Generation: 1, AccessToken: "of-no-use", Type: "Bearer", Received: time.Now(), Expires: time.Now().Add(time.Hour),
			Server: wire.ASM{Issuer: "https://as.example"}, Client: wire.Client{ID: "host", Method: wire.MethodNone}, Resource: server,
		}})
		if err != nil {
			t.Fatal(err)
		}
		k := states.Key{Kind: states.KindCredential, Name: server}
		if _, err := st.Put(t.Context(), k, []byte(value.Reveal()), 0, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := closing(); err != nil {
		t.Fatal(err)
	}
	var out, errs lockedBuffer
	counted := &writes{to: &out}
	if code := run(t.Context(), []string{"status"}, c.app(counted, &errs)); code != exitOK {
		t.Fatalf("exit status %d: %s", code, errs.String())
	}
	shown := 0
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "https://") {
			if want := fmt.Sprintf("https://mcp.example/%03d\n", shown); line != want {
				t.Errorf("%q in the place of %q", line, want)
			}
			shown++
		}
	}
	if shown != logins || counted.n.Load() > logins/10 {
		t.Errorf("%d logins shown in %d writes", shown, counted.n.Load())
	}
}
