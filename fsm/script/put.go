package script

import (
	"fmt"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// show prints the store.
func show(s *Script, _ Command) error {
	p, n := s.printer(), 0
	for e := range s.store.Entries(s.at) {
		n++
		s.say("%s, generation %d", p.Key(e.Key), e.Generation)
		if v := p.Value(e.Key.Kind, e.Value); v != "" {
			for line := range strings.SplitSeq(v, "\n") {
				s.say("  %s", line)
			}
		}
	}
	if n == 0 {
		s.say("nothing")
	}
	return nil
}

// keyOf gives the key of one kind that the current machine uses.
func (s *Script) keyOf(kind string) (states.Key, error) {
	c := s.now.machine.Data.Config
	if c == nil {
		return states.Key{}, fmt.Errorf("no machine is configured")
	}
	switch states.Kind(kind) {
	case states.KindCredential:
		return c.CredentialKey(), nil
	case states.KindMark:
		return c.MarkKey(), nil
	case states.KindLedger:
		return c.LedgerKey(), nil
	case states.KindRegistration:
		return c.RegistrationKey(s.as.Issuer), nil
	case states.KindLogin:
		if s.now.machine.Data.AtDevice() {
			return c.DeviceKey(), nil
		}
		if f := s.now.machine.Data.Flow; f != nil {
			return c.LoginKey(states.StateHash(f.State)), nil
		}
	case states.KindProofKey: // no machine reads it
	}
	return states.Key{}, fmt.Errorf("no entry of kind %q", kind)
}

// put writes an entry as another process would, over whatever is there: the block, or the
// stored entry with the named changes or, with merge, with the members of the block.
func put(s *Script, c Command) error {
	k, err := s.keyOf(c.bare(0))
	if err != nil {
		return err
	}
	var expected states.Generation
	value := wire.Secret(s.names.reveal(strings.TrimSpace(c.Block)))
	if e := s.store.Find(s.at, k); e != nil {
		expected = e.Generation
		switch {
		case value == "":
			value = e.Value
		case c.has("merge"):
			if value, err = merged(e.Value, value); err != nil {
				return err
			}
		}
	}
	if k.Kind == states.KindCredential {
		if value, err = s.altered(c, value); err != nil {
			return err
		}
	}
	g, _ := s.store.Put(s.at, k, value, expected, time.Time{})
	s.say("%s, generation %d", s.printer().Key(k), g)
	return nil
}

// altered changes a stored credential as the arguments say.
func (s *Script) altered(c Command, value wire.Secret) (wire.Secret, error) {
	rec, err := states.DecodeCredential(value)
	if err != nil {
		return value, nil // unchanged, for stories about records that cannot be read
	}
	for _, a := range c.Args {
		switch {
		case a.Name == "intent":
			if err := intent(s, rec, a.Values); err != nil {
				return "", err
			}
			continue
		case rec.Current == nil:
			continue
		}
		t := *rec.Current
		switch a.Name {
		case "newer":
			s.puts++
			t.Generation += elsewhere
			t.AccessToken = wire.Secret(fmt.Sprintf("access-of-another-%d", s.puts))
			t.RefreshToken = wire.Secret(fmt.Sprintf("refresh-of-another-%d", s.puts))
			t.Received, t.Expires = s.at, s.at.Add(time.Hour)
		case "same-refresh": // another generation with the refresh token that was spent
			t.Generation += elsewhere
			t.RefreshToken = wire.Secret(s.now.machine.Data.Spent.Reveal())
		case "spent":
			t.RefreshToken = ""
		case "rotates":
			t.Rotates = true
		case "secret":
			t.Client.Secret, t.Client.Method, t.Client.Inferred = wire.Secret(strings.Join(a.Values, ",")), wire.MethodBasic, true
		case "source":
			t.Client.Source = strings.Join(a.Values, ",")
		case "revocation":
			t.Server.RevocationEndpoint = strings.Join(a.Values, ",")
		case "obtained": // what the machine has obtained and could not store
			if o := s.now.machine.Data.Obtained; o != nil {
				t = *o
			}
		case "issuer":
			t.Server.Issuer = strings.Join(a.Values, ",")
		}
		rec.Current = &t
		if a.Name == "empty" {
			rec.Current = nil
		}
	}
	s.names.see(fsm.Machine{Data: states.Data{Record: rec}})
	return states.Encode(rec)
}

func intent(s *Script, rec *states.Credential, values []string) error {
	rec.Intent = nil
	if len(values) < 3 {
		return nil
	}
	i := states.Intent{Holder: values[0]}
	if _, err := fmt.Sscanf(values[1], "%d", &i.Attempt); err != nil {
		return err
	}
	d, err := time.ParseDuration(strings.TrimPrefix(values[2], "+"))
	if err != nil {
		return err
	}
	i.Until = s.at.Add(d)
	i.Since, i.Sent = i.Until, i.Until
	if len(values) > 3 {
		since, err := time.ParseDuration(values[3])
		if err != nil {
			return err
		}
		i.Since = s.at.Add(since)
	}
	rec.Intent = &i
	return nil
}

func drop(s *Script, c Command) error {
	k, err := s.keyOf(c.bare(0))
	if err != nil {
		return err
	}
	e := s.store.Find(s.at, k)
	if e == nil {
		return fmt.Errorf("no %s is stored", c.bare(0))
	}
	s.store.Drop(k)
	return nil
}

// elsewhere makes the number of a token that another process obtained, which no machine
// of a script ever uses.
const elsewhere = 1 << 32
