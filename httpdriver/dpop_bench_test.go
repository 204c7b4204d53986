package httpdriver_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/states"
)

// BenchmarkProof is one request with a token that is bound to a key, beside the bare
// signature that a proof cannot do without. "parallel" has many at once.
func BenchmarkProof(b *testing.B) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("signature", func(b *testing.B) {
		sum := sha256.Sum256([]byte("the text of a proof"))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ecdsa.SignASN1(rand.Reader, key, sum[:]); err != nil {
				b.Fatal(err)
			}
		}
	})
	w := newWorld(b, binding(states.RequireBinding, peer.DPoPRequired))
	d := w.driver(b)
	if err := d.Login(b.Context(), w.account()); err != nil {
		b.Fatal(err)
	}
	t, err := d.Transport(w.account(), done)
	if err != nil {
		b.Fatal(err)
	}
	send := func(b *testing.B) {
		req, err := http.NewRequest(http.MethodPost, w.Server, strings.NewReader(ping))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := t.RoundTrip(req); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("stile", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			send(b)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				send(b)
			}
		})
	})
}
