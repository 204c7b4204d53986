package httpdriver

import (
	"sync"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// configs are checked configurations, one for each server. A check parses addresses,
// and accounts at one server differ only in their names.
type configs struct {
	mu      sync.RWMutex
	of      map[string]*states.Config // never changed
	reaches map[bound]*wire.Reach     // likewise
}

// bound is a server, and the resource that a token for it is bound to.
type bound struct{ server, resource string }

// mostConfigs bounds how many servers are remembered.
const mostConfigs = 256

// reach gives the addresses to which a token for a resource may be sent: c.Reach,
// computed once for all accounts.
func (s *configs) reach(c *states.Config, resource string) *wire.Reach {
	b := bound{c.Resource.String(), resource}
	s.mu.RLock()
	known := s.reaches[b]
	s.mu.RUnlock()
	if known != nil {
		return known
	}
	made := c.Reach(resource)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.reaches) >= mostConfigs || s.reaches == nil {
		s.reaches = map[bound]*wire.Reach{}
	}
	s.reaches[b] = &made
	return &made
}

// config is the checked configuration of an account.
func (d *Driver) config(a Account) (*states.Config, error) {
	known, err := d.known(a.Server)
	if err != nil {
		return nil, err
	}
	c := new(states.Config)
	configure(c, known, a)
	return c, nil
}

func configure(c, known *states.Config, a Account) {
	*c = *known
	c.Tenant, c.Subject, c.Account = a.Tenant, a.Subject, a.Name
}

// known is the checked configuration of a server, for all its accounts. It must not be
// changed.
func (d *Driver) known(server string) (*states.Config, error) {
	d.configs.mu.RLock()
	known := d.configs.of[server]
	d.configs.mu.RUnlock()
	if known != nil {
		return known, nil
	}
	return d.newConfig(server)
}

// newConfig checks the configuration for a server. It is not part of known, because
// the frame of known is on the stacks of requests, and the frame of newConfig is large.
//
//go:noinline
func (d *Driver) newConfig(server string) (*states.Config, error) {
	m, err := fsm.New(d.o.Policy.Config(Account{Server: server}))
	if err != nil {
		return nil, err
	}
	c := m.Data.Config
	c.Concurrent, c.Shows = c.Concurrent || d.showsLinks, d.o.Show != nil
	d.configs.mu.Lock()
	defer d.configs.mu.Unlock()
	if len(d.configs.of) >= mostConfigs || d.configs.of == nil {
		d.configs.of = map[string]*states.Config{}
	}
	d.configs.of[server] = c
	return c, nil
}
