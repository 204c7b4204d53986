package httpdriver_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// TestIdleAccounts: accounts that nobody uses are let go, and are as logged in
// as before when somebody uses them again; one in use stays, however old.
func TestIdleAccounts(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t, func(o *httpdriver.Options) { o.IdleBytes = 4 << 10 })
	account := func(n int) httpdriver.Account {
		return httpdriver.Account{Server: w.Server, Subject: fmt.Sprint("user ", n)}
	}
	use := func(n int) *http.Client {
		t.Helper()
		c, err := d.Client(account(n))
		if err != nil {
			t.Fatal(err)
		}
		w.call(t, c)
		return c
	}
	kept := use(0)
	for n := 1; n < 20; n++ {
		use(n)
	}
	until(t, "idle accounts are let go", func() bool {
		runtime.GC()
		return d.Sessions() <= 4
	})
	w.Tap.reset()
	w.call(t, kept)
	use(7)
	w.exactly(t, 2)
	runtime.KeepAlive(kept)
}

// TestManyAccounts: what one account does is nobody else's matter.
func TestManyAccounts(t *testing.T) {
	w := newWorld(t)
	d := w.driver(t)
	var all sync.WaitGroup
	tokens := make([]string, 50)
	for n := range tokens {
		all.Go(func() {
			a := httpdriver.Account{Server: w.Server, Tenant: fmt.Sprint(n % 5), Subject: fmt.Sprint(n)}
			c, err := d.Client(a)
			if err != nil {
				t.Error(err)
				return
			}
			if status, _, err := w.post(t.Context(), c, ping); err != nil || status != 200 {
				t.Error(status, err)
			}
			tok, err := d.Token(t.Context(), a)
			if err != nil {
				t.Error(err)
				return
			}
			tokens[n] = tok.AccessToken
		})
	}
	all.Wait()
	seen := map[string]bool{}
	for _, v := range tokens {
		if seen[v] {
			t.Error("two accounts have one token")
		}
		seen[v] = true
	}
	if n := w.Tap.grants("authorization_code"); n != 50 {
		t.Errorf("%d logins", n)
	}
	// Registrations are shared within a tenant; those that begin at once may
	// each register.
	if n := w.Tap.count("as", "/register"); n < 5 || n > 50 {
		t.Errorf("%d registrations", n)
	}
}

// TestFirstRequestsTogether: several requests that are the first of an account in this
// process all find the token that is stored, also the one that comes just as it is read.
func TestFirstRequestsTogether(t *testing.T) {
	const accounts, together = 1000, 32
	d, err := httpdriver.New(httpdriver.Options{Store: oneRecord{value: record(t)}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	var all sync.WaitGroup
	for range together {
		all.Go(func() {
			for n := range accounts {
				if _, err := d.Token(t.Context(), subject(n)); err != nil {
					t.Errorf("account %d: %v", n, err)
				}
			}
		})
	}
	all.Wait()
}

// TestLongTokensWeighMore: how many accounts are kept depends on how long their tokens are, and
// what is known of them.
func TestLongTokensWeighMore(t *testing.T) {
	long := strings.Repeat("x", 8<<10)
	for name, change := range map[string]func(*states.Credential){
		"the token":  func(c *states.Credential) { c.Current.AccessToken = wire.Secret(long) },
		"its scopes": func(c *states.Credential) { c.Current.Granted = []string{"read", long} },
	} {
		t.Run(name, func(t *testing.T) {
			c, err := states.DecodeCredential(wire.Secret(record(t)))
			if err != nil {
				t.Fatal(err)
			}
			change(c)
			value, err := states.Encode(c)
			if err != nil {
				t.Fatal(err)
			}
			d, err := httpdriver.New(httpdriver.Options{Store: oneRecord{value: []byte(value.Reveal())}, IdleBytes: 64 << 10})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = d.Close() }()
			touch(t, d, 0, 40)
			until(t, "idle accounts are let go", func() bool {
				runtime.GC()
				return d.Sessions() <= 8
			})
		})
	}
}

// TestFirstClientsTogether: clients that are made for an account at one moment share what is known
// of it: the store is read once for all of them.
func TestFirstClientsTogether(t *testing.T) {
	const accounts, together = 4000, 4
	var reads atomic.Int64
	d, err := httpdriver.New(httpdriver.Options{Store: brokenStore{oneRecord{value: record(t)}, func() error { reads.Add(1); return nil }}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	for n := range accounts {
		var made sync.WaitGroup
		clients, begin := make([]http.RoundTripper, together), make(chan struct{})
		for i := range clients {
			made.Go(func() {
				<-begin
				rt, err := d.Transport(subject(n), local{http.NotFoundHandler()})
				if err != nil {
					t.Error(err)
				}
				clients[i] = rt
			})
		}
		close(begin)
		made.Wait()
		for _, rt := range clients {
			if err := readTo(t, rt, http.MethodGet, benchServer); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := reads.Load(); n != accounts {
		t.Errorf("the store was read %d times for %d accounts", n, accounts)
	}
}

// TestAccountsThatComeBack: an account that is used again at the moment in which it is let go is in
// memory once.
func TestAccountsThatComeBack(t *testing.T) {
	const accounts = 20000
	d, err := httpdriver.New(httpdriver.Options{IdleBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	use := func() []*http.Client {
		all := make([]*http.Client, accounts)
		for n := range all {
			if all[n], err = d.Client(subject(n)); err != nil {
				t.Fatal(err)
			}
		}
		return all
	}
	for range 5 {
		use()
	}
	held := use()
	for range 3 {
		runtime.GC()
	}
	if n := d.Sessions(); n != accounts {
		t.Errorf("%d of %d accounts are known", n, accounts)
	}
	runtime.KeepAlive(held)
}

// TestCloseWhileAccountsAreLetGo: a driver may be closed while the accounts that nobody uses any more
// are about to be forgotten.
func TestCloseWhileAccountsAreLetGo(t *testing.T) {
	for range 5 {
		d, err := httpdriver.New(httpdriver.Options{IdleBytes: 1})
		if err != nil {
			t.Fatal(err)
		}
		for n := range 20000 {
			if _, err := d.Client(subject(n)); err != nil {
				t.Fatal(err)
			}
		}
		runtime.GC()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestOftenUsedStay: accounts that are used often stay in memory when very many others are used once.
func TestOftenUsedStay(t *testing.T) {
	const often, once = 20, 3000
	var reads atomic.Int64
	d, err := httpdriver.New(httpdriver.Options{
		Store:     brokenStore{oneRecord{value: record(t)}, func() error { reads.Add(1); return nil }},
		IdleBytes: 100 << 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	touch(t, d, often, often+once) // how often is not counted before there are many
	for range 400 {
		touch(t, d, 0, often)
	}
	touch(t, d, often+once, often+2*once)
	runtime.GC()
	reads.Store(0)
	touch(t, d, 0, often)
	if n := reads.Load(); n > often/2 {
		t.Errorf("%d of %d were let go", n, often)
	}
}
