//go:build soak && unix

package soak_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
)

// TestStatusesLong: the status of one owner's 10,000 logins, and of another owner's single
// login in the same store. It logs how long both took.
func TestStatusesLong(t *testing.T) {
	for _, kind := range []string{"sealed", "sqlite"} {
		t.Run(kind, func(t *testing.T) {
			const logins = 10_000
			c := newCrowd(t, 1)
			w := place(t, kind)
			store := w.must(t)
			c.settle(t, store, 1) // subject u0 of tenant t0
			a, _, _ := c.account(0)
			one, err := store.Get(t.Context(), states.Key{Kind: states.KindCredential, Tenant: a.Tenant, Subject: a.Subject, Account: a.Name, Name: a.Server})
			if err != nil {
				t.Fatal(err)
			}
			for i := range logins {
				k := states.Key{Kind: states.KindCredential, Subject: "many", Name: fmt.Sprintf("https://mcp.example/%d", i)}
				if _, err := store.Put(t.Context(), k, one.Value, 0, time.Time{}); err != nil {
					t.Fatal(err)
				}
			}
			d := c.driver(t, w.must(t))
			count := func(tenant, subject string) (n int, took time.Duration) {
				began := time.Now()
				if err := d.Statuses(t.Context(), tenant, subject, func(_ httpdriver.Status, err error) error {
					n++
					return err
				}); err != nil {
					t.Fatal(err)
				}
				return n, time.Since(began)
			}
			all, whole := count("", "many")
			own, alone := count(a.Tenant, a.Subject)
			t.Logf("%s: %d statuses in %v, one owner's single one in %v", t.Name(), all, whole, alone)
			if all != logins || own != 1 {
				t.Errorf("%d and %d statuses", all, own)
			}
		})
	}
}
