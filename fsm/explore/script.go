package explore

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm/script"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// story writes a walk in the language of the scripts (docs/scripts.md).
type story struct {
	commands []command
	actor    int
	at       time.Time
	// late says that the answer that is written was given by the store earlier.
	late bool
}

type command struct{ line, block string }

func (s *story) line(text string) { s.block(text, "") }

// told says whether the question that follows was answered earlier.
func (s *story) told(late bool) {
	if s != nil {
		s.late = late
	}
}

func (s *story) block(text, block string) {
	if s != nil {
		s.commands = append(s.commands, command{text, block})
	}
}

// input writes one input.
func (s *story) input(w *world, i int, in states.Input) {
	if s == nil {
		return
	}
	if i != s.actor {
		s.actor = i
		s.line("machine " + w.actors[i].name)
	}
	if d := w.clock(i).Sub(s.at); d != 0 {
		s.line("wait " + d.String())
		s.at = s.at.Add(d)
	}
	switch in := in.(type) {
	case states.Begun:
		s.line(strings.TrimSpace("begin " + strings.Repeat("login", n(in.Login))))
	case states.Interrupted:
		s.line("interrupt")
	case states.Cancelled:
		s.line("cancel")
	case states.LoggedOut:
		s.line("logout" + strings.Repeat(" forget", n(in.Forget)))
	case states.Ticked:
		s.line("tick")
	case states.Accepted:
		s.line("accept")
	case states.Challenged:
		gen := "current"
		if in.Generation == 0 {
			gen = "none"
		} else if t := w.actors[i].m.Data.Token(); t == nil || t.Generation != in.Generation {
			gen = "old"
		}
		var lines []string
		for _, v := range in.Response.Header.Header("WWW-Authenticate") {
			lines = append(lines, "WWW-Authenticate: "+v)
		}
		s.block(fmt.Sprintf("challenge status=%d gen=%s", in.Response.Status, gen), strings.Join(lines, "\n"))
	case states.Redirected:
		s.block("redirect", in.URL.Reveal())
	case states.Responded:
		s.respond(in.Response)
	case states.Unreachable:
		s.line("unreachable " + string(in.Class))
	case states.Signed:
		if _, asserted := w.actors[i].q.(states.Assert); asserted {
			s.line("answer platform")
			return
		}
		s.line("answer key" + strings.Repeat(" empty", n(in.JWS == "")))
	case states.Unsigned:
		s.line("answer key failed")
	case states.Answered:
		s.line("answer host value=" + in.Value)
	case states.StoreFailed:
		s.line("answer store failed" + strings.Repeat(" entry", n(in.Entry)))
	case states.Loaded:
		if w.net != nil && !s.late {
			s.line("answer store")
			return
		}
		s.block(fmt.Sprintf("answer store found gen=%d", in.Generation), in.Value.Reveal())
	default:
		s.line("answer store" + s.stored(w, in))
	}
}

// stored writes a store's answer if the script's own store would answer otherwise. In the
// open world there is no store.
func (s *story) stored(w *world, in states.Input) string {
	if w.net != nil && !s.late {
		return ""
	}
	switch in := in.(type) {
	case states.NotFound:
		return " missing"
	case states.Conflicted:
		return " conflict"
	case states.Saved:
		return fmt.Sprintf(" saved gen=%d", in.Generation)
	case states.Deleted:
		return " deleted"
	case states.Claimed:
		return " claimed"
	case states.Held:
		return " held"
	case states.Leased:
		return fmt.Sprintf(" leased ttl=%s fence=%d", in.TTL, in.Fence)
	default: // the others need nothing here
	}
	return ""
}

func (s *story) respond(r wire.Response) {
	line := fmt.Sprintf("respond status=%d", r.Status)
	for _, h := range r.Header {
		switch h.Name {
		case "Content-Type":
			line += " type=" + strings.ReplaceAll(h.Value, " ", "")
		case "Retry-After", "Cache-Control":
			if strings.Contains(h.Value, ",") {
				continue // the script's lists have commas between them
			}
			line += " header=(" + h.Name + ": " + h.Value + ")"
		}
	}
	if r.Oversized {
		line += " oversized"
	}
	s.block(line, strings.TrimSpace(string(r.Body)))
}

func n(b bool) int {
	if b {
		return 1
	}
	return 0
}

// tellWay goes along the path to a situation once more and writes it down: the moves in
// words, and the script with what it prints. For a breach beyond the situation it adds
// the honest moves that follow.
func (x *Explorer) tellWay(b *breach, id int32) (words []string, text string) {
	root, moves := x.path(id)
	fresh, err := roots(&scene{
		name: x.sc.name, engine: x.sc.engine, table: x.sc.table, invariants: x.sc.invariants,
		fired: map[fire]int{}, followed: map[fire]int{}, seen: map[print]struct{}{},
	}, x.o)
	if err != nil || root >= len(fresh) {
		return nil, ""
	}
	w := fresh[root]
	s := w.log.copy()
	for _, m := range moves {
		list := w.sc.next(w)
		if int(m) >= len(list) {
			break
		}
		w = w.clone()
		w.log = s
		words = append(words, list[m].name)
		list[m].do(w)
	}
	for range b.then {
		words = append(words, "then honestly on: "+w.actors[b.who].name)
		w = w.clone()
		w.log = s
		w.onward(b.who)
	}
	return words, s.print(x)
}

func (s *story) copy() *story {
	c := *s
	c.commands = slices.Clone(s.commands)
	return &c
}

// print runs the script and writes it as a file of testdata/scripts.
func (s *story) print(x *Explorer) string {
	run := script.New()
	var b strings.Builder
	b.WriteString("# Found by stile explore in the " + x.o.World + " world.\n")
	for _, c := range s.commands {
		b.WriteString(c.line + "\n")
		if c.block != "" {
			b.WriteString(c.block + "\n")
		}
		b.WriteString("----\n" + run.Do(c.line, c.block) + "\n")
	}
	return b.String()
}
