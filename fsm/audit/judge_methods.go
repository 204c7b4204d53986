package audit

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

func judgeEveryMethod(j *judgement) {
	list := j.e.reading().challenges
	if len(list) < 2 {
		j.end(CouldNotRun, j.unanswered(LegMCP, "fewer than two requests without a token were answered"))
		return
	}
	if !slices.ContainsFunc(list, func(c challenge) bool { return c.x.status() == 401 }) {
		j.end(NotApplicable, "no request is refused with 401")
		return
	}
	for _, c := range list {
		s := c.x.status()
		if s >= 200 && s < 300 && !authFailure(c.x.Response.Body) {
			f := j.fail(c.x, "a request without a token is let in, while others are refused")
			f.differ("401", fmt.Sprintf("%d to %s", s, rpcMethod(c.x)))
			f.Confidence = Likely
		}
	}
}

var methodMember = regexp.MustCompile(`"method"\s*:\s*"([A-Za-z0-9_/$.-]{1,60})"`)

func rpcMethod(x *Exchange) string {
	if m := methodMember.FindSubmatch(x.Request.Body); m != nil {
		return string(m[1])
	}
	return x.Request.Method
}

func judgeBothEras(j *judgement) {
	a, b := j.e.probe(probe2025), j.e.probe(probe2026)
	if !j.e.live() || a == nil || b == nil || a.Response == nil || b.Response == nil {
		j.end(CouldNotRun, "the two first requests were not both answered")
		return
	}
	if a.status() != b.status() {
		j.fail(b, "a client of 2026-07-28 is answered otherwise than one of 2025-11-25").differ(fmt.Sprint(a.status()), fmt.Sprint(b.status()))
		return
	}
	if x, y := strings.Join(a.got("WWW-Authenticate"), "; "), strings.Join(b.got("WWW-Authenticate"), "; "); x != y {
		j.fail(b, "the challenge differs between the eras").differ(x, y)
	}
}

var leaks = regexp.MustCompile(`(?m)Traceback \(most recent call last\)|^\s+at [\w.$<>]+\(.*:\d+(:\d+)?\)|goroutine \d+ \[|\bat (/[\w.-]+){2,}|(/home|/usr/src|/var/www|/app|/srv)(/[\w.-]+){2,}\.\w+|[A-Z]:\\\\?[\w.-]+\\\\?[\w.-]+`)

// leak finds what a body shows of the server's inside. The pattern is slow on megabytes,
// so it is tried only where the body has a text that one of its alternatives needs.
func leak(body []byte) []byte {
	for _, needed := range []string{"Traceback (", "goroutine ", "at ", "/home/", "/usr/src/", "/var/www/", "/app/", "/srv/", `:\`} {
		if bytes.Contains(body, []byte(needed)) {
			return leaks.Find(body)
		}
	}
	return nil
}

func judgeBodyLeak(j *judgement) {
	seen := false
	for _, x := range j.e.legs(LegMCP, LegPRM, LegASM, LegToken, LegRefresh, LegRegister) {
		if x.status() < 400 {
			continue
		}
		seen = true
		if at := leak(x.Response.Body); at != nil {
			f := j.fail(x, "the body of a refusal shows a stack trace or a path of the server").differ("nothing of the server's inside", string(at))
			f.Layer = layerOf[x.Leg]
		}
	}
	if !seen {
		j.end(NotApplicable, "there was no refusal")
	}
}

func judgeStable(j *judgement) {
	first := j.e.probe(probe2025)
	if first == nil || first.Response == nil {
		j.end(CouldNotRun, j.unanswered(LegMCP, "the first request was not answered"))
		return
	}
	want := strings.Join(first.got("WWW-Authenticate"), "; ")
	for _, n := range []string{"1", "2"} {
		x := j.e.probe(probeAgain + n)
		if x == nil || x.Response == nil {
			j.end(CouldNotRun, "a repeated request was not answered")
			continue
		}
		if x.status() != first.status() {
			j.fail(x, "the same request is answered otherwise a moment later").differ(fmt.Sprint(first.status()), fmt.Sprint(x.status()))
		} else if got := strings.Join(x.got("WWW-Authenticate"), "; "); got != want {
			j.fail(x, "the challenge to the same request is another one a moment later").differ(want, got)
		}
	}
}
