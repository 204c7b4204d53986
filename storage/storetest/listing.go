package storetest

import (
	"crypto/rand"
	"errors"
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

func testKeys(t *testing.T, s *suite) {
	st := s.open(t)
	l, ok := st.(storage.KeyLister)
	if s.noLister || !ok {
		t.Log("the store is no storage.KeyLister, which is optional")
		return
	}
	tenant := "tenant-" + rand.Text()
	var want []states.Key
	for _, subject := range []string{"", "a\x00", "b", "gone", "expired"} {
		for _, name := range []string{"1", "2"} {
			k := states.Key{Kind: states.KindCredential, Tenant: tenant, Subject: subject, Name: name}
			switch subject {
			case "gone":
				must(t, "Delete", st.Delete(t.Context(), k, put(t, st, k, "v", 0, never)))
			case "expired":
				put(t, st, k, "v", 0, s.now().Add(-time.Minute))
			default:
				put(t, st, k, "v", 0, never)
				want = append(want, k)
			}
		}
	}
	var got []states.Key
	must(t, "Keys", l.Keys(t.Context(), func(k states.Key) error {
		if k.Tenant == tenant {
			got = append(got, k)
		}
		return nil
	}))
	backend.SortKeys(got)
	backend.SortKeys(want)
	if !slices.Equal(got, want) {
		t.Fatalf("Keys = %q, want %q", got, want)
	}
	enough, asked := errors.New("enough"), 0
	wantErr(t, "Keys whose caller has enough", l.Keys(t.Context(), func(states.Key) error { asked++; return enough }), enough)
	if asked != 1 {
		t.Errorf("Keys went on after its caller had enough: %d calls", asked)
	}
}

// testEntries: what is read in one pass is what List and Get answer.
func testEntries(t *testing.T, s *suite) {
	st := s.open(t)
	l, ok := st.(storage.Lister)
	if s.noLister || !ok {
		t.Log("the store is no storage.Lister")
		return
	}
	tenant := "tenant-" + rand.Text()
	for i, kind := range []states.Kind{states.KindCredential, states.KindLedger, states.KindLogin} {
		for _, name := range []string{"https://b.example/\x00,", "https://a.example/"} {
			put(t, st, states.Key{Kind: kind, Tenant: tenant, Subject: "alice", Name: name}, name, 0, s.now().Add(time.Duration(i)*late-time.Minute))
			put(t, st, states.Key{Kind: kind, Tenant: tenant, Subject: "bob", Name: name}, "not hers", 0, never)
		}
	}
	keys, err := l.List(t.Context(), tenant, "alice")
	must(t, "List", err)
	var got []states.Key
	must(t, "Entries", storage.Entries(t.Context(), st, tenant, "alice", func(k states.Key, e storage.Entry, err error) error {
		must(t, "an entry", err)
		if same := get(t, st, k); string(e.Value) != k.Name || e.Generation != same.Generation || !e.Expires.Equal(same.Expires) {
			t.Errorf("%q is %+v; Get gives %+v", k, e, same)
		}
		got = append(got, k)
		return nil
	}))
	enough, asked := errors.New("enough"), 0
	wantErr(t, "Entries whose caller has enough", storage.Entries(t.Context(), st, tenant, "alice", func(states.Key, storage.Entry, error) error {
		asked++
		return enough
	}), enough)
	if asked != 1 {
		t.Errorf("Entries went on after its caller had enough: %d calls", asked)
	}
	if len(keys) != 4 || !slices.Equal(got, keys) {
		t.Fatalf("Entries gives %q, List %q", got, keys)
	}
}
