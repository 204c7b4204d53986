package storetest

import (
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/internal/backend"
)

func testList(t *testing.T, s *suite) {
	st := s.open(t)
	l, ok := st.(storage.Lister)
	if s.noLister {
		t.Log("the backend says that it is no Lister")
		return
	}
	if !ok {
		t.Fatal("the store is no storage.Lister; the option NoLister says that this is meant")
	}
	tenant := "tenant-" + rand.Text()
	list := func(tenant, subject string) []states.Key {
		t.Helper()
		keys, err := l.List(t.Context(), tenant, subject)
		must(t, "List", err)
		return keys
	}
	same := func(what string, got, want []states.Key) {
		t.Helper()
		backend.SortKeys(want)
		if !slices.Equal(got, want) {
			t.Fatalf("%s: List = %q, want %q", what, got, want)
		}
	}
	same("nothing", list(tenant, "alice"), nil)

	var alice, nobody []states.Key
	gens := map[states.Key]states.Generation{}
	for _, kind := range []states.Kind{states.KindCredential, states.KindLedger, states.KindLogin} {
		for _, name := range []string{"https://b.example/\x00,", "https://a.example/", "https://a.example/2"} {
			k := states.Key{Kind: kind, Tenant: tenant, Subject: "alice", Name: name}
			gens[k] = put(t, st, k, "v", 0, s.now().Add(late))
			alice = append(alice, k)
			k.Subject = ""
			put(t, st, k, "v", 0, never)
			nobody = append(nobody, k)
			k.Subject = "alice2"
			put(t, st, k, "v", 0, never)
			k.Tenant, k.Subject = tenant+"2", "alice"
			put(t, st, k, "v", 0, never)
		}
	}
	same("one subject", list(tenant, "alice"), slices.Clone(alice))
	same("no subject is a subject too", list(tenant, ""), slices.Clone(nobody))
	for _, who := range []string{"*", "%", "alic", "ALICE", "alice\x00", "_lice"} {
		same("a subject that looks like a pattern", list(tenant, who), nil)
	}

	// A lease is not an entry; a deleted or expired entry is none either.
	_, err := st.Lease(t.Context(), states.Key{Kind: states.KindMark, Tenant: tenant, Subject: "alice", Name: "leased"}, late)
	must(t, "Lease", err)
	must(t, "Delete", st.Delete(t.Context(), alice[0], gens[alice[0]]))
	put(t, st, alice[1], "v", gens[alice[1]], s.now().Add(-time.Minute))
	same("after a delete and an expiry", list(tenant, "alice"), slices.Clone(alice[2:]))
}

func testOwners(t *testing.T, s *suite) {
	st := s.open(t)
	l, ok := st.(storage.OwnerLister)
	if s.noLister || !ok {
		t.Log("the store is no storage.OwnerLister, which is optional")
		return
	}
	tenant := "tenant-" + rand.Text()
	want := []storage.Owner{{Tenant: tenant, Subject: ""}, {Tenant: tenant, Subject: "a\x00"}, {Tenant: tenant, Subject: "b"}}
	var gone states.Generation
	for _, o := range append(slices.Clone(want), storage.Owner{Tenant: tenant, Subject: "gone"}) {
		for _, name := range []string{"1", "2"} {
			g := put(t, st, states.Key{Kind: states.KindCredential, Tenant: o.Tenant, Subject: o.Subject, Name: name}, "v", 0, never)
			if o.Subject == "gone" {
				gone = g
				must(t, "Delete", st.Delete(t.Context(), states.Key{Kind: states.KindCredential, Tenant: tenant, Subject: "gone", Name: name}, gone))
			}
		}
	}
	all, err := l.Owners(t.Context())
	must(t, "Owners", err)
	var got []storage.Owner
	for _, o := range all {
		if o.Tenant == tenant {
			got = append(got, o)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("Owners = %q, want %q", got, want)
	}
}
