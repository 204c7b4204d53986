package httpdriver

import (
	"context"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
)

// outcome is how a run ended.
type outcome struct {
	token *token
	fault *states.Fault
	err   error // LoginRequiredError, ErrClosed, a bug
	// requested are the scopes that the user was asked for, or that the token has;
	// nil when the host decides which they are.
	requested []string
	// Of a token that was handed out before the end of its run: unsaved says that the store cannot
	// save it yet; outdone is closed when a code was handed out after it.
	unsaved bool
	outdone chan struct{}
}

// hand gives those who wait a result before the end of the run.
func (r *run) hand(early *outcome) {
	switch before := r.early.Swap(early); {
	case before == nil:
		close(r.handed)
	case before.outdone != nil:
		close(before.outdone)
	}
}

// wait waits for the end of a run. The caller's context ends only the wait.
func (s *session) wait(ctx context.Context, r *run) (outcome, error) {
	return s.waitAfter(ctx, r, 0)
}

// waitAfter is wait for a caller whose token of the given generation was refused. If the
// run hands out that token, this is no answer, unless the run may take long to end
// because the store does not answer.
func (s *session) waitAfter(ctx context.Context, r *run, refused states.Generation) (outcome, error) {
	early, err := r.await(ctx, refused)
	return r.outcome(early, err)
}

// await does the waiting; early is what was handed out before the end, nil at the end. Every
// request may wait here, so the frame of await is kept small.
func (r *run) await(ctx context.Context, refused states.Generation) (early *outcome, err error) {
	handed := r.handed
	for {
		select {
		case <-r.done:
			return nil, nil
		case <-handed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		early = r.early.Load()
		if t := early.token; t == nil || t.generation != refused || early.unsaved {
			select {
			case <-r.done: // its end says more
				return nil, nil
			default:
				return early, nil
			}
		}
		handed = early.outdone
	}
}

// outcome is the result for a caller that waited.
func (r *run) outcome(early *outcome, err error) (outcome, error) {
	switch {
	case err != nil:
		return outcome{}, err
	case early != nil:
		return *early, early.err
	case r.out.err != nil:
		return r.out, r.out.err
	case r.out.fault != nil && r.out.token == nil:
		return r.out, fsm.Err(*r.out.fault)
	}
	return r.out, nil
}

// looked is the result for a request that waited in ready.
func (r *run) looked(early *outcome, err error) (*token, *run, error) {
	out, err := r.outcome(early, err)
	if err != nil || out.token != nil || !r.want.looks() {
		return out.token, nil, err
	}
	return nil, r, nil
}
