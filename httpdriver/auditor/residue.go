package auditor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/states/wire"
)

// residueFormat begins a file of residue.
const residueFormat = "stile-residue"

// Residue is what audits left behind, with the tokens that are needed to remove it. Only
// the owner can read its file, and a report holds none of it.
type Residue struct {
	Target string
	Left   []audit.Leftover
}

type keptResidue struct {
	Format  string         `json:"format"`
	Version int            `json:"version"`
	Target  string         `json:"target"`
	Left    []keptLeftover `json:"left"`
}

type keptLeftover struct {
	audit.Leftover
	Token string `json:"token,omitempty"`
}

// Write stores the residue in a file of mode 0600, in one step. If nothing is left that
// can be removed, the file is deleted.
func (r Residue) Write(name string) error {
	k := keptResidue{Format: residueFormat, Version: 1, Target: r.Target}
	ends := false
	for _, l := range r.Left {
		k.Left = append(k.Left, keptLeftover{l, l.Token.Reveal()})
		ends = ends || l.Token != "" && (l.ManageURI != "" || l.Kind == audit.KeptGrant && l.Endpoint != "")
	}
	if !ends {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	b, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".residue-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// maxResidue bounds a file of residue.
const maxResidue = 4 << 20

// ReadResidue reads what Write wrote.
func ReadResidue(name string) (Residue, error) {
	st, err := os.Stat(name)
	if err != nil {
		return Residue{}, err
	}
	if st.Size() > maxResidue {
		return Residue{}, fmt.Errorf("%s has %d bytes; %d are read at most", name, st.Size(), int64(maxResidue))
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return Residue{}, err
	}
	var k keptResidue
	if err := json.Unmarshal(b, &k); err != nil || k.Format != residueFormat {
		return Residue{}, fmt.Errorf("%s is no residue of an audit", name)
	}
	if k.Version != 1 {
		return Residue{}, fmt.Errorf("%s has version %d; version 1 is read", name, k.Version)
	}
	r := Residue{Target: k.Target}
	for _, l := range k.Left {
		l.Leftover.Token = wire.Secret(l.Token)
		r.Left = append(r.Left, l.Leftover)
	}
	return r, nil
}

// Clean removes what is left, and returns what is still there and why. secret is the
// secret of a client that was given to the audit. Grants are revoked first, because a
// deleted client can revoke nothing.
func (r Residue) Clean(ctx context.Context, secret wire.Secret, o Options, told func(l audit.Leftover, gone bool)) Residue {
	run := newRun(r.Target, o)
	out := Residue{Target: r.Target}
	for _, kind := range []audit.Kind{audit.KeptGrant, audit.KeptRegistration} {
		for _, l := range r.Left {
			if l.Kind != kind {
				continue
			}
			gone := run.end(ctx, &l, secret)
			if !gone {
				out.Left = append(out.Left, l)
			}
			told(l, gone)
		}
	}
	return out
}

// end sends the request that removes one thing.
func (r *run) end(ctx context.Context, l *audit.Leftover, secret wire.Secret) bool {
	req, ok := l.Ends(secret)
	switch {
	case !ok && l.Confidential && secret == "":
		l.Why = "the secret of its client is needed"
		return false
	case !ok:
		l.Why = "nothing is kept that ends it"
		return false
	case wire.CheckURL(req.URL, wire.URLPolicy{AllowLoopbackHTTP: wire.IsLoopbackHTTP(r.evidence.Target)}) != nil:
		l.Why = "its address is none that is asked"
		return false
	}
	x, err := r.ask(ctx, audit.Probe{Label: "cleanup", Leg: audit.LegOther, Request: req})
	switch {
	case err != nil:
		l.Why = "interrupted"
	case x.Response == nil:
		l.Why = "no answer: " + wire.Clean(x.Failure, 200)
	case l.Ended(x.Response.Status):
		return true
	default:
		l.Why = fmt.Sprintf("answered %d at %s", x.Response.Status, r.Now().UTC().Format(time.RFC3339))
	}
	return false
}
