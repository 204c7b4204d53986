package script

import (
	"fmt"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// setConfig makes a new machine for the current actor. A setting stays in force until it
// is given again.
func setConfig(s *Script, c Command) error {
	next := s.config
	for _, a := range c.Args {
		if err := configArg(&next, a); err != nil {
			return err
		}
	}
	s.config = next
	return s.make()
}

func (s *Script) make() error {
	c := s.config
	if s.now.name != "a" {
		c.Holder = s.now.name
	}
	m, err := fsm.New(c)
	if err != nil {
		return err
	}
	s.now.machine, s.now.granted = m, nil
	s.names.see(m)
	return nil
}

func configArg(c *states.Config, a Arg) (err error) {
	one := strings.Join(a.Values, ",")
	on := one != "no"
	switch a.Name {
	case "server":
		c.Server = one
	case "revision":
		c.Revision = states.Revision(one)
		if one == "auto" {
			c.Revision = states.Auto
		}
	case "strict":
		c.Strict = on
	case "waive":
		c.Quirks = nil
		for _, v := range a.Values {
			name, pair, given := strings.Cut(v, "|")
			q := states.Quirk{Name: states.QuirkName(name)}
			if given {
				q.Values = strings.Split(pair, "|")
			}
			c.Quirks = append(c.Quirks, q)
		}
	case "issuer":
		c.Issuer = one
	case "issuers":
		c.Issuers = clean(a.Values)
	case "client":
		c.Client = nil
		if one != "" {
			c.Client = &states.Configured{ID: one}
		}
	case "client-issuer", "client-secret", "client-method":
		if c.Client == nil {
			return fmt.Errorf("%s comes after client", a.Name)
		}
		k := *c.Client
		switch a.Name {
		case "client-issuer":
			k.Issuer = one
		case "client-secret":
			k.Secret = wire.Secret(one)
		default:
			k.Method = one
		}
		c.Client = &k
	case "key":
		c.Key = nil
		if on {
			c.Key = model.Key()
		}
	case "dpop":
		c.Binding, c.ProofKey = states.NoBinding, nil
		if on {
			c.Binding, c.ProofKey = states.TokenBinding(one), model.ProofKey()
		}
	case "grant":
		c.Grant = states.GrantType(one)
	case "shows":
		c.Shows = on
	case "enterprise":
		c.Grant, c.Client, c.Provider = states.CodeGrant, nil, nil
		if on {
			model.Enterprise(c)
		}
	case "provider", "provider-issuer", "provider-secret", "provider-method":
		if c.Provider == nil {
			return fmt.Errorf("%s comes after enterprise", a.Name)
		}
		p := *c.Provider
		switch a.Name {
		case "provider":
			p.ID = one
		case "provider-issuer":
			p.Issuer = one
		case "provider-secret":
			p.Secret = wire.Secret(one)
		default:
			p.Method = one
		}
		c.Provider = &p
	case "cimd":
		c.CIMD = one
	case "auth-method":
		c.AuthMethod = one
	case "grants":
		c.Grants = clean(a.Values)
	case "contacts":
		c.Profile.Contacts = clean(a.Values)
	case "initial-token":
		c.InitialToken = wire.Secret(one)
	case "registration":
		c.NoRegistration = !on
	case "refresh":
		c.NoRefresh = !on
	case "redirects":
		c.Redirects = clean(a.Values)
	case "scopes":
		c.Scopes = clean(a.Values)
	case "only-scopes":
		c.OnlyScopes = on
	case "parameters":
		c.Parameters = nil
		for _, v := range clean(a.Values) {
			name, value, _ := strings.Cut(v, ":")
			c.Parameters = append(c.Parameters, states.Parameter{Name: name, Value: value})
		}
	case "state-prefix":
		c.StatePrefix = one
	case "asks":
		c.Asks = nil
		for _, v := range clean(a.Values) {
			c.Asks = append(c.Asks, states.Question(v))
		}
	case "tenant":
		c.Tenant = one
	case "subject":
		c.Subject = one
	case "concurrent":
		c.Concurrent = on
	case "account":
		c.Account = one
	case "holder":
		c.Holder = one
	case "user":
		c.UserTime, err = time.ParseDuration(one)
	case "http":
		c.HTTPTime, err = time.ParseDuration(one)
	case "lease":
		c.LeaseTime, err = time.ParseDuration(one)
	default:
		err = fmt.Errorf("the configuration has no setting %q", a.Name)
	}
	return err
}

// setMachine goes to another process, with a machine of its own, over the same
// store and the same servers.
func setMachine(s *Script, c Command) error {
	name := c.bare(0)
	if name == "" {
		return fmt.Errorf("which machine?")
	}
	for _, a := range s.actors {
		if a.name == name {
			s.now = a
			s.say("%s is in %s", name, stateName(a.machine.State))
			return nil
		}
	}
	s.now = &actor{name: name}
	s.actors = append(s.actors, s.now)
	return s.make()
}

func stateName(n states.State) string {
	if n == "" {
		return "no state"
	}
	return string(n)
}
