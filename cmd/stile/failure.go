package main

import (
	"fmt"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

// failure is an error that knows its exit status and what to do about it.
type failure struct {
	code   int
	err    error
	advice string
	says   string       // replaces the text of err
	rule   rules.ID     // the broken rule
	party  states.Party // who broke it
	first  string       // the first cause, if err does not hold it
	step   string       // what the command was doing
	see    string       // the entry on the troubleshooting page, if it is not the rule's
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func usage(format string, args ...any) error {
	return &failure{code: exitUsage, err: fmt.Errorf(format, args...)}
}

func failed(format string, args ...any) error {
	return &failure{code: exitFailed, err: fmt.Errorf(format, args...)}
}

func storeFailed(err error) error {
	if err == nil || storage.IsAnswer(err) {
		return err
	}
	f := &failure{code: exitStore, err: fmt.Errorf("the credential store: %w", err)}
	f.adviseOnStore()
	return f
}

func networkFailed(format string, args ...any) error {
	return &failure{code: exitNetwork, err: fmt.Errorf(format, args...)}
}

func peerFailed(p *wire.Problem) error { return &failure{code: exitPeer, err: p} }
