// Command bus logs in with the machine on one side of a bus and the network on the other:
// the near side decides and never opens a connection, the far side (carrier.go) carries out
// what it is told. Here the bus is a pipe in one process; it can be whatever takes a
// line of JSON and is as private as the connection to the server would be.
//
//	stile serve as --auto-consent & stile serve rs &
//	go run ./bus http://localhost:8001/mcp
package main

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"log"
	"net"
	"os"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/lines"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: bus URL")
	}
	if err := login(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func login(server string) error {
	near, far := net.Pipe()
	failed := make(chan error, 1)
	go func() { failed <- carry(far) }()
	m, err := fsm.New(states.Config{Server: server, Redirects: []string{"http://127.0.0.1:4711/callback"}})
	if err != nil {
		return err
	}
	h := &host{engine: fsm.NewEngine(), machine: m, bus: near, answers: bufio.NewReader(near)}
	if err := h.do(states.Begun{Seed: wire.Secret(rand.Text() + rand.Text()), Login: true}); err != nil {
		return err
	}
	fmt.Printf("%s, token valid until %s\n", h.machine.State, h.grant.Expires.Format(time.TimeOnly))
	if err := h.do(states.LoggedOut{Seed: wire.Secret(rand.Text() + rand.Text())}); err != nil {
		return err
	}
	fmt.Println(h.machine.State)
	if err := near.Close(); err != nil {
		return err
	}
	return <-failed
}

// host moves one machine.
type host struct {
	engine  *fsm.Engine
	machine fsm.Machine
	bus     net.Conn
	answers *bufio.Reader
	grant   states.Grant
}

// do gives an input and goes on until nothing is open.
func (h *host) do(queue ...states.Input) error {
	for len(queue) > 0 {
		m, effects, err := h.engine.Step(h.machine, time.Now(), queue[0])
		if err != nil {
			return err // this program's mistake; the machine is as it was
		}
		h.machine, queue = m, queue[1:]
		for _, e := range effects {
			switch e := e.(type) {
			case states.Ask: // an address that is listened on, else the default
				answer := states.Answered{Serial: e.Serial}
				if e.Question == states.AskRedirect {
					answer.Value = e.Options[0]
				}
				queue = append(queue, answer)
			case states.Send, states.Visit, states.Load, states.Save, states.Delete, states.Claim, states.Lease:
				in, err := h.ask(e)
				if err != nil {
					return err
				}
				queue = append(queue, in)
			case states.Grant:
				h.grant = e
			case states.Report:
				return fsm.Err(e.Fault)
			default: // Wake, Release and Note are for programs that live longer
			}
		}
	}
	return nil
}

// ask sends a question over the bus, with its real secrets (json.Marshal would mask
// them), and waits for its answer.
func (h *host) ask(e states.Effect) (states.Input, error) {
	w := lines.Writer{B: []byte{'{'}}
	w.Effect(e)
	if _, err := h.bus.Write(append(w.B, '}', '\n')); err != nil {
		return nil, err
	}
	line, err := h.answers.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	return lines.ReadInput(line)
}
