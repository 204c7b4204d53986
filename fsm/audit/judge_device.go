package audit

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

func judgeDeviceStart(j *judgement) {
	if len(j.e.reading().asm) > 0 && j.e.address("device_authorization_endpoint") == "" {
		j.end(NotApplicable, "the issuer does not offer the device grant")
		return
	}
	x := j.e.probe(probeDevice + "start")
	if x == nil || x.Response == nil {
		if j.e.probe(probeDevice+"register") != nil {
			j.end(CouldNotRun, "no client could be registered for the grant")
			return
		}
		j.unregistered()
		return
	}
	if x.status() != 200 {
		f := j.fail(x, "the device grant cannot be started").differ("200", fmt.Sprint(x.status()))
		if x.status() >= 500 {
			f.Rules = []rules.ID{rules.TokenRespErrorVsTransient, rules.ExtDeviceResponse}
		}
		return
	}
	obj, err := wire.ParseObject(x.Response.Body)
	if err != nil {
		j.fail(x, "the answer is no JSON object")
		return
	}
	for _, name := range []string{"device_code", "user_code", "verification_uri"} {
		if s, _, _ := obj.String(name); s == "" {
			j.fail(x, "the answer has no "+name)
		}
	}
	for _, m := range []struct {
		name string
		most int
	}{{"expires_in", 86400}, {"interval", 600}} {
		raw, ok := obj.Raw(m.name)
		if !ok && m.name == "interval" {
			continue // it may be left out, and then is 5 (RFC 8628 §3.2)
		}
		if n, err := strconv.Atoi(string(raw)); err != nil || n <= 0 || n > m.most {
			f := j.fail(x, "the answer has no usable "+m.name).differ(fmt.Sprintf("1 to %d", m.most), string(raw))
			f.Severity = Low
		}
	}
	for _, name := range []string{"verification_uri", "verification_uri_complete"} {
		if s, _, ok := obj.String(name); ok && wire.CheckURL(s, wire.URLPolicy{AllowLoopbackHTTP: true}) != nil {
			f := j.fail(x, name+" is no https address").differ("https", s)
			f.Severity, f.Rules = High, []rules.ID{rules.ExtDeviceVerificationURI}
		}
	}
	if s, _, _ := obj.String("user_code"); strings.ContainsFunc(s, func(r rune) bool { return r < 0x21 || r > 0x7e }) {
		f := j.fail(x, "user_code has characters that no keyboard types").differ("printable characters", s)
		f.Severity, f.Rules = High, []rules.ID{rules.ExtDeviceVerificationURI}
	}
}

func judgeDevicePoll(j *judgement) {
	if j.e.probe(probeDevice+"start") == nil {
		judgeDeviceStart(j)
		return
	}
	x := j.e.probe(probeDevice + "poll")
	if x == nil || x.Response == nil {
		j.end(CouldNotRun, "the device grant was not started (dev.start)")
		return
	}
	e := wire.ParseOAuthError(*x.Response)
	switch {
	case x.status() >= 500:
		j.fail(x, "the first poll ends in an error of the server").differ("400 authorization_pending", fmt.Sprint(x.status())).Rules = []rules.ID{rules.ExtDeviceTimeoutBackoff}
	case gives(x):
		j.end(Fact, "the first poll gave a token: somebody had consented already")
	case e == nil:
		j.fail(x, "a poll is not answered as an OAuth error").differ("400 authorization_pending", fmt.Sprint(x.status()))
	case e.Code == "slow_down":
		j.fail(x, "the first poll is answered slow_down").differ("authorization_pending", string(e.Code)).Rules = []rules.ID{rules.ExtDeviceSlowDown}
	case e.Code == "expired_token" || e.Code == "access_denied":
		j.fail(x, "the first poll is answered "+string(e.Code)+", before anybody could decide").differ("authorization_pending", string(e.Code)).Rules = []rules.ID{rules.ExtDeviceEnd}
	case e.Code != "authorization_pending":
		j.fail(x, "a poll that nobody has decided on yet is not answered authorization_pending").differ("authorization_pending", string(e.Code))
	}
}

// undecided gives a further poll, if the first one found that nobody had decided.
func (j *judgement) undecided(name string) *Exchange {
	first := j.e.probe(probeDevice + "poll")
	if first == nil || first.Response == nil {
		judgeDevicePoll(j)
		return nil
	}
	x := j.e.probe(probeDevice + name)
	switch {
	case gives(first):
		j.end(NotApplicable, "the first poll gave a token: somebody had consented already")
		return nil
	case !first.pending():
		j.end(CouldNotRun, "the first poll was not answered authorization_pending (dev.poll)")
		return nil
	case x == nil || x.Response == nil:
		j.end(CouldNotRun, "there was no further poll")
		return nil
	case x.status() == 429 || x.status() == 503:
		j.end(CouldNotRun, "the token endpoint throttles")
		return nil
	}
	return x
}

func judgeDeviceQuick(j *judgement) {
	x := j.undecided("quick")
	if x == nil {
		return
	}
	e := wire.ParseOAuthError(*x.Response)
	switch {
	case e != nil && e.Code == "slow_down" && x.status() == 400:
	case e != nil && e.Code == "authorization_pending":
		j.end(Fact, "a poll that comes too early is answered authorization_pending: the server slows nobody down")
	case gives(x):
		j.end(Fact, "the second poll gave a token: somebody has consented meanwhile")
	default:
		got := fmt.Sprint(x.status())
		if e != nil {
			got += " " + string(e.Code)
		}
		j.fail(x, "a poll that comes too early ends the grant, or in an error").differ("400 slow_down", got)
	}
}

func judgeDeviceClient(j *judgement) {
	x := j.undecided("foreign")
	if x == nil {
		return
	}
	switch {
	case gives(x):
		j.fail(x, "another client gets the token of a device code").differ("400 invalid_grant", "200").Severity = Critical
	case x.pending():
		e := wire.ParseOAuthError(*x.Response)
		j.fail(x, "another client is told to go on polling with a device code").differ("400 invalid_grant", string(e.Code)).Confidence = Likely
	case x.status() >= 500:
		j.fail(x, "a poll by another client ends in an error of the server").differ("400 invalid_grant", fmt.Sprint(x.status())).Severity = Medium
	}
}
