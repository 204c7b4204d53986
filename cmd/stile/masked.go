package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// secrets are the secrets that the machine of this command has held. A server that
// received one may quote it in any answer (rule log-error-echo).
type secrets struct {
	mu   sync.Mutex
	list []wire.Secret
}

// learn adds the secrets that the machine holds after a step.
func (s *secrets) learn(step httpdriver.Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range step.Result.Machine.Data.Secrets() {
		if v != "" && !slices.Contains(s.list, v) {
			s.list = append(s.list, v)
		}
	}
}

// mask removes the secrets from a server's text, line by line, so that the other lines
// stay as they are.
func (s *secrets) mask(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = wire.Mask(line, s.list)
	}
	return wire.Mask(strings.Join(lines, "\n"), s.list)
}

// maskView removes the secrets from the text about an error.
func (s *secrets) maskView(v *errorView) {
	for _, text := range []*string{&v.Message, &v.Step, &v.Peer, &v.OAuth, &v.First, &v.Advice} {
		*text = s.mask(*text)
	}
}

// masked removes the secrets from every text in an answer of a server. An answer
// without secrets does not change.
func masked[T any](s *secrets, v T) (T, error) {
	written, err := json.Marshal(v)
	if err != nil {
		return v, err
	}
	var tree any
	d := json.NewDecoder(bytes.NewReader(written))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		return v, err
	}
	found := false
	tree = s.walk(tree, &found)
	if !found {
		return v, nil
	}
	var out T
	written, err = json.Marshal(tree)
	if err == nil {
		err = json.Unmarshal(written, &out)
	}
	if err != nil { // the secret was in the bytes of an image, or in one of the format's own words
		return v, &failure{
			code: exitPeer, party: states.PartyPeer, err: errors.New("the answer is not shown: the server quotes a secret in a part of it that is not text"),
			advice: "tell the operator of the server",
		}
	}
	return out, nil
}

// walk masks the texts of a JSON value.
func (s *secrets) walk(v any, found *bool) any {
	switch v := v.(type) {
	case string:
		m := s.mask(v)
		*found = *found || m != v
		return m
	case []any:
		for i := range v {
			v[i] = s.walk(v[i], found)
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			m := s.mask(name)
			*found = *found || m != name
			out[m] = s.walk(member, found)
		}
		return out
	}
	return v
}
