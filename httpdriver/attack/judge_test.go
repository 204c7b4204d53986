package attack_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// meter measures what something costs, from where it was made to where it is read.
type meter struct {
	s        *scene
	from     time.Time
	requests int
	memory   uint64
}

// cost is what a meter has read.
type cost struct {
	took     time.Duration
	requests int
	memory   uint64
}

func (s *scene) measure() meter {
	return meter{s, time.Now(), s.net.count(), allocated()}
}

func (m meter) read() cost {
	return cost{time.Since(m.from), m.s.net.count() - m.requests, allocated() - m.memory}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// judge asserts what holds in every world, and what this one wants.
func (s *scene) judge(w want, err error, c cost) {
	s.t.Helper()
	s.afford(w, c)
	f, typed := fsm.FaultOf(err)
	var status statusError
	switch {
	case err == nil && w.ends == "fault":
		s.t.Error("it ended well, and a fault was to be found")
	case err != nil && w.ends == "ok":
		s.t.Errorf("it was to end well: %v", err)
	case err != nil && !typed && !w.passes && !errors.As(err, &status) && !errors.Is(err, httpdriver.ErrOutside):
		s.t.Errorf("an error of no type: %v", err)
	case typed && w.party != "" && f.Party != w.party:
		s.t.Errorf("the fault is of %s, not of %s: %v", f.Party, w.party, err)
	}
	if err != nil {
		s.form(err, f, typed)
	}
	if kept := s.record() != nil; s.before != nil && kept == w.leaves {
		s.t.Errorf("a credential is stored: %v", kept)
	}
	s.secrets(err)
	if w.also != nil {
		w.also(s, err)
	}
}

// afford asserts that the cost is within its bounds.
func (s *scene) afford(w want, c cost) {
	s.t.Helper()
	if most := orElse(w.within, mostTime); c.took > most {
		s.t.Errorf("it took %v, and %v is the most", c.took, most)
	}
	if most := orElse(w.requests, mostRequests); c.requests > most {
		s.t.Errorf("it cost %d requests, and %d is the most", c.requests, most)
	}
	if most := orElse(w.memory, mostMemory); c.memory > most {
		s.t.Errorf("it allocated %d MiB, and %d is the most", c.memory>>20, most>>20)
	}
}

// form asserts that an error can be shown to people and says what errors say.
func (s *scene) form(err error, f states.Fault, typed bool) {
	s.t.Helper()
	text := err.Error()
	if len(text) > mostError {
		s.t.Errorf("an error of %d bytes", len(text))
	}
	if r := unfit(text); r >= 0 {
		s.t.Errorf("the error holds %U: %q", r, text)
	}
	if r := unfit(s.log.String()); r >= 0 {
		s.t.Errorf("the log holds %U: %q", r, s.log)
	}
	if !typed {
		return
	}
	if _, ok := rules.Lookup(f.Problem.Rule); !ok {
		s.t.Errorf("no rule %q: %v", f.Problem.Rule, err)
	}
	if f.Doing == "" || f.Party == "" || !strings.Contains(text, string(f.State)) {
		s.t.Errorf("the error does not say where and whose: %+v", f)
	}
}

// unfit gives the first rune that steers a terminal or turns the direction of
// writing; -1 if there is none.
func unfit(text string) rune {
	for _, r := range text {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return r
		}
	}
	return -1
}

// secrets asserts where secrets went: each to where it belongs, and nowhere else.
func (s *scene) secrets(err error) {
	s.t.Helper()
	known := s.known()
	for name, text := range map[string]string{
		"the log": s.log.String(), "what an observer prints": s.seen.String(), "the trace": s.trace.String(), "the error": fmt.Sprintf("%v %+v %#v", err, err, err),
	} {
		for kind, v := range known {
			if i := strings.Index(text, v); i >= 0 {
				s.t.Errorf("%s holds a %s: …%s…", name, kind, text[max(0, i-100):min(len(text), i+40)])
				break
			}
		}
	}
	for _, r := range s.net.requests() {
		at, text := r.to+r.path, r.text
		switch at {
		case "as/token", "as/revoke", "as/register":
			continue
		case "rs/mcp":
			text = strings.Replace(text, r.bearer, "", 1)
		}
		for kind, v := range known {
			if kind != "state" && strings.Contains(text, v) {
				s.t.Errorf("a request to %s holds a %s", at, kind)
			}
		}
	}
	for _, a := range s.net.tries {
		if !strings.HasPrefix(a, "127.0.0.1:") {
			s.t.Errorf("somebody tried to connect to %s", a)
		}
	}
}

// known gathers the secrets that were on the wire.
func (s *scene) known() map[string]string {
	known := map[string]string{}
	add := func(kind, v string) {
		if len(v) >= 16 {
			known[fmt.Sprint(kind, " ", len(known))] = v
		}
	}
	for line := range strings.SplitSeq(s.issued.String(), "\n") {
		var m map[string]any
		if json.Unmarshal([]byte(line), &m, jsontext.AllowDuplicateNames(true)) != nil {
			continue
		}
		for _, name := range []string{"access_token", "refresh_token", "client_secret", "registration_access_token"} {
			if v, ok := m[name].(string); ok {
				add(name, v)
			}
		}
	}
	for _, r := range s.net.requests() {
		for _, name := range []string{"code", "code_verifier", "refresh_token", "client_secret"} {
			add(name, r.form.Get(name))
		}
	}
	return known
}

func orElse[T time.Duration | int | uint64](v, or T) T {
	if v == 0 {
		return or
	}
	return v
}

// record is what is stored, or nil.
func (s *scene) record() *states.Credential {
	s.t.Helper()
	e, err := s.store.Get(s.t.Context(), states.Key{Kind: states.KindCredential, Name: s.server})
	if err != nil {
		return nil
	}
	c, err := states.DecodeCredential(wire.Secret(e.Value))
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}
