package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/states/wire"
)

// MaxPolicy bounds a policy file.
const MaxPolicy = 1 << 20

// policyFile is what people write and review.
type policyFile struct {
	Version  int             `yaml:"version"`
	Accepted []acceptedEntry `yaml:"accepted"`
}

type acceptedEntry struct {
	Check       string `yaml:"check"`
	Fingerprint string `yaml:"fingerprint"`
	Target      string `yaml:"target"`
	Reason      string `yaml:"reason"`
	By          string `yaml:"by"`
	Until       string `yaml:"until"`
}

// ReadPolicy reads a policy file: YAML with version 1 and a list of accepted deviations.
// An unknown name is an error, and so is an entry without who, why or until when, because
// only what was reviewed is accepted.
func ReadPolicy(b []byte) (audit.Policy, error) {
	var f policyFile
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&f); err != nil {
		if errors.Is(err, io.EOF) {
			return audit.Policy{}, errors.New("the policy is empty")
		}
		return audit.Policy{}, fmt.Errorf("the policy cannot be read: %s", wire.Clean(err.Error(), 300))
	}
	if f.Version != 1 {
		return audit.Policy{}, fmt.Errorf("the policy has version %d; version 1 is read", f.Version)
	}
	var p audit.Policy
	for i, e := range f.Accepted {
		bad := func(what string) (audit.Policy, error) {
			return audit.Policy{}, fmt.Errorf("entry %d of the policy %s", i+1, what)
		}
		if e.Check == "" && e.Fingerprint == "" {
			return bad("names neither a check nor a fingerprint")
		}
		if strings.TrimSpace(e.Reason) == "" || strings.TrimSpace(e.By) == "" {
			return bad("does not say who accepted it and why (by, reason)")
		}
		day, err := time.Parse(time.DateOnly, e.Until)
		if err != nil {
			return bad("has no last day as 2027-06-30 (until)")
		}
		p.Accepted = append(p.Accepted, audit.Accepted{Check: e.Check, Fingerprint: e.Fingerprint, Target: e.Target,
			Reason: wire.Clean(e.Reason, 500), By: wire.Clean(e.By, 200), Until: day.AddDate(0, 0, 1)})
	}
	return p, nil
}
