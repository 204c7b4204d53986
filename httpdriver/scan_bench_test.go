package httpdriver_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stile-oauth/stile/httpdriver"
)

// BenchmarkAccounts looks accounts up for each request, as a gateway does, in any
// order: 10,000 that fit, and 100,000 of which a tenth does not.
func BenchmarkAccounts(b *testing.B) {
	value := record(b)
	for _, c := range []struct{ accounts, fit int }{{10_000, 10_000}, {100_000, 90_000}} {
		b.Run(fmt.Sprintf("%d accounts, %d fit", c.accounts, c.fit), func(b *testing.B) {
			d, err := httpdriver.New(httpdriver.Options{Store: oneRecord{value: value}, IdleBytes: int64(c.fit) * sessionSize(b, value)})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = d.Close() }()
			all := make([]httpdriver.Account, c.accounts)
			for i := range all {
				all[i] = subject(i)
			}
			touch(b, d, 0, c.accounts)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if _, err := d.Token(b.Context(), all[rand.IntN(len(all))]); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// sessionSize is what the driver takes for the size of an account with a token.
func sessionSize(b *testing.B, value []byte) int64 {
	d, err := httpdriver.New(httpdriver.Options{Store: oneRecord{value: value}})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	touch(b, d, 0, 1)
	return d.SessionBytes(subject(0))
}
