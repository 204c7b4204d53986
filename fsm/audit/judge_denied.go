package audit

import (
	"fmt"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

func judgeDenied(j *judgement) {
	if !j.began() {
		return
	}
	if !j.e.wasAnswered() {
		j.end(CouldNotRun, "no answer came back to the client"+j.e.lastWords())
		return
	}
	if n := j.e.count(LegAuthorize, 0); n > 1 {
		j.fail(j.e.first(LegAuthorize), "the client asks again after the user denied").differ("1", fmt.Sprint(n)).Layer = Client
	}
	hangs(j)
}

// hangs looks for a client that exits by itself after a login but keeps waiting after a
// login that has finally failed. A bridge that waits for its host is stopped for being
// idle.
func hangs(j *judgement) {
	for _, run := range j.e.Runs {
		if j.e.ends && run.Killed && !run.Crashed && !run.Idle {
			f := j.fail(nil, "the client does not end after the login has failed for good").differ("an error, and the end", "still there after "+run.Took.Round(time.Second).String())
			f.Layer, f.Rules, f.Severity, f.Confidence = Client, []rules.ID{rules.AuthzRespDeadline}, Low, Likely
			return
		}
	}
}

func judgePage(j *judgement) {
	seen := false
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if x.Leg != LegCallback && x.Probe != "forged" || x.Response == nil {
			continue
		}
		seen = true
		if strings.Contains(string(x.Response.Body), "<script") && strings.Contains(string(x.Response.Body), "alert") || strings.Contains(string(x.Response.Body), "<img src=") {
			j.fail(x, "the client's page holds markup that the server wrote").Layer = Client
		}
	}
	for _, run := range j.e.Runs {
		if run.Escapes {
			j.fail(nil, "the client's output holds terminal escapes of error_description").Layer = Client
			break
		}
	}
	if !seen {
		j.end(CouldNotRun, "no answer came back to the client"+j.e.lastWords())
	}
}
