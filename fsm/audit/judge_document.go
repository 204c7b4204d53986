package audit

import (
	"fmt"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

func judgeStatusType(j *judgement, x *Exchange, status, ctype rules.ID) {
	switch s := x.status(); {
	case s == 200 && x.mediaType() != "application/json":
		j.fail(x, "a metadata document is not application/json").differ("application/json", strings.Join(x.got("Content-Type"), ", ")).Rules = []rules.ID{ctype}
	case s != 200 && s < 300:
		j.fail(x, "a metadata document has a status other than 200").differ("200", fmt.Sprint(s)).Rules = []rules.ID{status}
	case s >= 500:
		j.fail(x, "the place of a metadata document answers with an error of the server").differ("200 or 404", fmt.Sprint(s)).Rules = []rules.ID{status}
	}
}

func judgeJSON(j *judgement, leg Leg, object, strict rules.ID) {
	n := 0
	for _, x := range j.e.legs(leg) {
		if x.status() != 200 {
			continue
		}
		n++
		if x.Response.Oversized {
			j.fail(x, "the document is longer than any client reads").Rules = []rules.ID{strict}
			continue
		}
		obj, err := wire.ParseObject(x.Response.Body)
		for _, m := range obj {
			if is, ok := variant(m.Name); ok {
				j.fail(x, "a member is called almost as one that clients read").differ(is, m.Name).Rules = []rules.ID{strict}
			}
			if s, _, ok := obj.String(m.Name); ok && wire.Clean(s, 4*len(s)) != s && m.Name == "resource_name" {
				f := j.fail(x, "resource_name holds characters that a terminal obeys")
				f.Rules = []rules.ID{rules.PRMDisplayUntrusted}
			}
		}
		if err != nil {
			rule := strict
			if !strings.HasPrefix(strings.TrimSpace(string(x.Response.Body[:min(len(x.Response.Body), 64)])), "{") {
				rule = object
			}
			if len(x.Response.Body) == 0 && leg == LegASM {
				j.fail(x, "the document is empty").Rules = []rules.ID{rules.ASMContentType, strict}
				continue
			}
			j.fail(x, "the document is not a JSON object that is read in one way only: "+err.Error()).Rules = []rules.ID{rule}
		}
	}
	if n == 0 {
		j.end(CouldNotRun, j.unanswered(leg, "there is no document to parse"))
	}
}

func (j *judgement) urls() wire.URLPolicy {
	return wire.URLPolicy{AllowLoopbackHTTP: j.e.Target == "" || wire.IsLoopbackHTTP(j.e.Target)}
}

const fewFields = "a trace keeps the header fields that the machine reads, and no others"

func judgeCORS(j *judgement, leg Leg) {
	if j.e.Source == FromTrace {
		j.end(CouldNotRun, fewFields)
		return
	}
	n := 0
	for _, x := range j.e.legs(leg) {
		if x.status() != 200 {
			continue
		}
		n++
		if len(x.got("Access-Control-Allow-Origin")) == 0 {
			j.fail(x, "a metadata document has no Access-Control-Allow-Origin").Affected = "clients that run in a browser"
		}
	}
	if n == 0 {
		j.end(CouldNotRun, j.unanswered(leg, "there is no document"))
	}
}

func judgeCache(j *judgement, leg Leg) {
	n := 0
	for _, x := range j.e.legs(leg) {
		if x.status() != 200 {
			continue
		}
		n++
		cc := strings.ToLower(strings.Join(x.got("Cache-Control"), ", "))
		age, has := maxAge(cc)
		switch {
		case cc == "":
			j.fail(x, "a metadata document has no Cache-Control")
		case has && age > 86400:
			j.fail(x, "a metadata document may be kept for longer than a day").differ("max-age=86400 at most", cc)
		}
	}
	if n == 0 {
		j.end(CouldNotRun, j.unanswered(leg, "there is no document"))
	}
}
