package httpdriver_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

// oneRecord is a store outside this process: it answers for any account with
// one and the same credential, and keeps nothing.
type oneRecord struct {
	storage.Store
	value []byte
}

func (s oneRecord) Get(_ context.Context, k states.Key) (storage.Entry, error) {
	if k.Kind != states.KindCredential {
		return storage.Entry{}, storage.ErrNotFound
	}
	return storage.Entry{Value: s.value, Generation: 1}, nil
}

// record is a credential as a login leaves it.
func record(tb testing.TB) []byte {
	store := storage.NewMemory()
	d, err := httpdriver.New(httpdriver.Options{
		Store: store, Send: over(newMemory()),
		Policy: httpdriver.Policy{Redirects: []string{"http://127.0.0.1:39323/callback"}},
		Host: httpdriver.UserAgent(func(_ context.Context, v httpdriver.Visit) (string, error) {
			return v.RedirectURI + "?" + redirect(v.URL).Encode(), nil
		}),
	})
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if err := d.Login(tb.Context(), httpdriver.Account{Server: benchServer}); err != nil {
		tb.Fatal(err)
	}
	e, err := store.Get(tb.Context(), states.Key{Kind: states.KindCredential, Name: benchServer})
	if err != nil {
		tb.Fatal(err)
	}
	c, err := states.DecodeCredential(wire.Secret(e.Value))
	if err != nil {
		tb.Fatal(err)
	}
	c.Current.Expires = time.Now().Add(24 * time.Hour)
	value, err := states.Encode(c)
	if err != nil {
		tb.Fatal(err)
	}
	return []byte(value.Reveal())
}

func subject(i int) httpdriver.Account {
	return httpdriver.Account{Server: benchServer, Tenant: "tenant", Subject: "user-" + strconv.Itoa(i)}
}

// touch uses accounts first to last once.
func touch(tb testing.TB, d *httpdriver.Driver, first, last int) {
	for i := first; i < last; i++ {
		if _, err := d.Token(tb.Context(), subject(i)); err != nil {
			tb.Fatal(err)
		}
	}
}
