package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm/lines"
	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// carrier is the far side of the bus: connections, a browser and a store. It knows
// nothing of OAuth.
type carrier struct {
	guard *guard.Guard // addresses come from servers: each connection is judged
	kept  map[states.Key]entry
	last  states.Generation
}

type entry struct {
	value wire.Secret
	at    states.Generation
}

// carry answers questions until the near side has gone.
func carry(bus net.Conn) error {
	g, err := guard.New(guard.Options{})
	if err != nil {
		return err
	}
	c := &carrier{guard: g, kept: map[states.Key]entry{}}
	for r := bufio.NewReader(bus); ; {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return nil //nolint:nilerr // the near side has gone
		}
		e, err := lines.ReadEffect(line)
		if err != nil {
			return err
		}
		in, err := c.answer(e)
		if err != nil {
			return err
		}
		w := lines.Writer{B: []byte{'{'}}
		w.Input(in)
		if _, err := bus.Write(append(w.B, '}', '\n')); err != nil {
			return err
		}
	}
}

func (c *carrier) answer(e states.Effect) (states.Input, error) {
	switch e := e.(type) {
	case states.Send:
		return c.send(e), nil
	case states.Visit:
		back, err := visit(e.URL.Reveal(), e.RedirectURI)
		return states.Redirected{Serial: e.Serial, URL: wire.Secret(back)}, err
	case states.Load:
		if k, ok := c.kept[e.Key]; ok {
			return states.Loaded{Serial: e.Serial, Value: k.value, Generation: k.at}, nil
		}
		return states.NotFound{Serial: e.Serial}, nil
	case states.Save: // only over the generation that it expects; none comes twice
		if c.kept[e.Key].at != e.Expected {
			return states.Conflicted{Serial: e.Serial}, nil
		}
		c.last++
		c.kept[e.Key] = entry{e.Value, c.last}
		return states.Saved{Serial: e.Serial, Generation: c.last}, nil
	case states.Delete:
		delete(c.kept, e.Key)
		return states.Deleted{Serial: e.Serial}, nil
	case states.Claim:
		delete(c.kept, e.Key)
		return states.Claimed{Serial: e.Serial}, nil
	case states.Lease: // nobody else is here to hold it
		return states.Leased{Serial: e.Serial, Fence: uint64(c.last), TTL: e.TTL}, nil
	default:
		return nil, fmt.Errorf("nobody answers %T", e)
	}
}

// send makes one exchange within its bounds. It is never repeated here: a lost answer is
// told, and the machine decides.
func (c *carrier) send(e states.Send) states.Input {
	late := func() bool { return !e.NotAfter.IsZero() && !time.Now().Before(e.NotAfter) }
	time.Sleep(time.Until(e.NotBefore))
	resp, failure := c.guard.Do(context.Background(), guard.Call{
		Request: e.Request, Timeout: e.Timeout, Until: e.NotAfter, MaxBody: e.MaxBody,
		SameOriginHops: e.Hops, Loopback: e.Loopback, Late: late,
	})
	if failure == nil {
		return states.Responded{Serial: e.Serial, Response: resp}
	}
	class := states.FailureClass(failure.Class)
	switch failure.Class {
	case guard.ClassBlocked, guard.ClassTLS:
	case guard.ClassLate:
		class = states.Late
	default:
		class = states.Unsent
		if failure.Sent {
			class = states.Lost
		}
	}
	return states.Unreachable{Serial: e.Serial, Class: class, Rule: failure.Rule, Detail: failure.Detail}
}

// visit is a browser whose user agrees to everything at once (stile serve as
// --auto-consent). A real carrier shows the address to a person and listens on redirect.
func visit(url, redirect string) (back string, err error) {
	arrived := errors.New("arrived")
	browser := &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if back = r.URL.String(); strings.HasPrefix(back, redirect+"?") {
			return arrived
		}
		return nil
	}}
	resp, err := browser.Get(url)
	if errors.Is(err, arrived) {
		return back, nil
	}
	if err == nil {
		_ = resp.Body.Close()
		err = fmt.Errorf("the login page answered %s and sent nobody back", resp.Status)
	}
	return "", err
}
