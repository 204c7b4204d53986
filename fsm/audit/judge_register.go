package audit

import (
	"fmt"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// registering gives the answers to registrations whose labels begin with prefix. If
// there are none, the check ends.
func (j *judgement) registering(prefix string) []*Exchange {
	var out []*Exchange
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		if !strings.HasPrefix(x.Probe, prefix) || x.Response == nil {
			continue
		}
		if x.status() == 429 || x.status() == 401 || x.status() == 403 || x.status() >= 500 {
			j.end(CouldNotRun, fmt.Sprintf("a registration was answered %d", x.status()))
			continue
		}
		out = append(out, x)
	}
	if len(out) == 0 && j.v.Outcome == Pass {
		if j.e.Account != nil && len(j.e.reading().asm) > 0 && j.e.address("registration_endpoint") == "" {
			j.end(NotApplicable, "the issuer has no registration endpoint")
		} else {
			j.end(CouldNotRun, "nothing was registered")
		}
	}
	return out
}

func took(x *Exchange) bool { return x.status() >= 200 && x.status() < 300 }

// judgeNotRegistered expects that each of these registrations is refused.
func judgeNotRegistered(prefix, says string) func(*judgement) {
	return func(j *judgement) {
		for _, x := range j.registering(prefix) {
			if id, _ := j.e.member(x.Probe, "client_id"); id == "" {
				continue
			}
			obj, _ := wire.ParseObject(x.Request.Body)
			uris, _, _ := obj.Strings("redirect_uris")
			if got, err := wire.ParseObject(x.Response.Body); err == nil {
				if kept, _, ok := got.Strings("redirect_uris"); ok && len(uris) > 0 && !strings.Contains(strings.Join(kept, " "), uris[0]) {
					continue // the server left it out, as it may
				}
			}
			f := j.fail(x, says).differ("400", fmt.Sprint(x.status())+" for "+strings.Join(uris, " "))
			if strings.Contains(strings.Join(uris, " "), "//*.") {
				f.Severity, f.Confidence = Medium, Likely // a server that compares strings never matches it
			}
		}
	}
}

func judgeRedirectKept(j *judgement) {
	for _, x := range j.registering(registration) {
		if !took(x) {
			j.end(CouldNotRun, "the registration was refused (reg.works)")
			continue
		}
		asked, _ := wire.ParseObject(x.Request.Body)
		got, err := wire.ParseObject(x.Response.Body)
		if err != nil {
			continue
		}
		want, _, _ := asked.Strings("redirect_uris")
		list, _, has := got.Strings("redirect_uris")
		switch {
		case !has:
			f := j.fail(x, "the answer does not say which redirect URIs were registered").differ(strings.Join(want, " "), "")
			f.Severity, f.Rules = Low, []rules.ID{rules.DCRResponseComplete}
		case strings.Join(list, " ") != strings.Join(want, " "):
			j.fail(x, "other redirect URIs were registered than were asked for").differ(strings.Join(want, " "), strings.Join(list, " "))
		}
		j.copies(x)
	}
}

// publishes reports whether a document of the issuer has this member. Without a document
// there is nothing that could differ.
func (e *Evidence) publishes(name, value string) bool {
	if len(e.reading().asm) == 0 {
		return true
	}
	for _, m := range e.reading().asm {
		if s, _, _ := m.obj.String(name); s == value {
			return true
		}
	}
	return false
}

func judgeMethod(j *judgement) {
	n := 0
	for _, prefix := range []string{registration, probeRegister + "chosen", probeRegister + "method."} {
		for i := range j.e.Exchanges {
			x := &j.e.Exchanges[i]
			if !strings.HasPrefix(x.Probe, prefix) || x.Response == nil || !took(x) {
				continue
			}
			n++
			j.secretAndMethod(x)
		}
	}
	if n == 0 {
		j.registering(registration)
		j.end(CouldNotRun, "no registration was accepted")
	}
}

// secretAndMethod compares the secret of a registration with the method that the
// client is told to use.
func (j *judgement) secretAndMethod(x *Exchange) {
	got := x.object()
	method, _, told := got.String("token_endpoint_auth_method")
	secret, _, _ := got.String("client_secret")
	_, expires := got.Raw("client_secret_expires_at")
	switch {
	case told && strings.HasPrefix(method, "client_secret") && secret == "":
		j.fail(x, "the client is to authenticate by a secret and gets none").differ("client_secret", method)
	case secret != "" && method == "none":
		j.fail(x, "the client gets a secret and is told not to use it").differ("client_secret_basic", method)
	case secret != "" && !told:
		f := j.fail(x, "the client gets a secret and is not told how to use it").differ("token_endpoint_auth_method", "")
		f.Rules = []rules.ID{rules.DCRResponseAuthoritative, rules.DCRMethodSecretConsistent}
	}
	if secret != "" && !expires {
		j.fail(x, "the client gets a secret and is not told when it expires").differ("client_secret_expires_at", "").Rules = []rules.ID{rules.DCRSecretExpiresAt}
	}
}

func judgeMethodTruth(j *judgement) {
	n := 0
	if first := j.e.probe(registration); first != nil && first.Response != nil && !took(first) {
		j.end(CouldNotRun, "the registration of a public client was refused as well (reg.works)")
		return
	}
	for i := range j.e.Exchanges {
		x := &j.e.Exchanges[i]
		method, ok := strings.CutPrefix(x.Probe, probeRegister+"method.")
		if !ok || x.Response == nil {
			continue
		}
		n++
		if x.status() == 400 || x.status() == 422 {
			j.fail(x, "a client cannot register for a method that the metadata lists").differ("201", fmt.Sprintf("%d for %s", x.status(), method))
		}
	}
	if n == 0 {
		j.registering(registration)
		j.end(NotApplicable, "the metadata lists no method with a secret")
	}
}

func judgeEmptyRedirects(j *judgement) {
	for _, x := range j.registering(probeRegister + "empty") {
		if took(x) {
			j.fail(x, "a client without redirect URIs registers for codes").differ("400 invalid_redirect_uri", fmt.Sprint(x.status()))
		}
	}
}

func judgeRegisterError(j *judgement) {
	if x := j.e.probe(probeRegister + "malformed"); x != nil && x.status() >= 500 {
		j.fail(x, "a registration that is no JSON ends in an error of the server").differ("400", fmt.Sprint(x.status()))
		return
	}
	refused := 0
	for _, x := range j.registering(probeRegister) {
		if took(x) {
			continue
		}
		refused++
		if wire.ParseOAuthError(*x.Response) == nil {
			j.fail(x, "a refused registration is not a JSON object with error").differ("application/json", strings.Join(x.got("Content-Type"), ", "))
		}
	}
	if refused == 0 && j.v.Outcome == Pass {
		j.end(CouldNotRun, "no registration was refused")
	}
}

func judgeRegisterUnknown(j *judgement) {
	first := j.e.probe(registration)
	for _, x := range j.registering(probeRegister + "extra") {
		if !took(x) && first != nil && first.Response != nil && took(first) {
			j.fail(x, "a registration with a member that is not known is refused").differ("201", fmt.Sprint(x.status())).Confidence = Likely
		}
	}
}

func judgeChosenID(j *judgement) {
	for _, x := range j.registering(probeRegister + "chosen") {
		if id, _ := j.e.member(x.Probe, "client_id"); id == "stile-audit-chosen" {
			j.fail(x, "a client chooses its own client_id").differ("one that the server draws", id)
		}
	}
}

func judgeIDNamespace(j *judgement) {
	for _, x := range j.registering(registration) {
		if id, _ := j.e.member(x.Probe, "client_id"); strings.HasPrefix(id, "https://") {
			j.fail(x, "a registered client gets an https URL as its client_id").differ("anything else", id)
		}
	}
}

func judgeManage(j *judgement) {
	all := j.e.registered()
	if len(all) == 0 && j.e.Account != nil && j.e.Account.ClientID != "" {
		j.end(NotApplicable, "a client was given")
		return
	}
	if len(all) == 0 {
		j.registering(registration)
		j.end(CouldNotRun, "nothing was registered")
		return
	}
	first := all[0]
	if first.ManageURI == "" {
		j.end(Fact, fmt.Sprintf("%d registrations stay: the server gives no address to delete them at", len(all)))
		return
	}
	read, gone, again := j.e.probe(probeCleanup+first.Probe+".read"), j.e.probe(probeCleanup+first.Probe+".delete"), j.e.probe(probeCleanup+first.Probe+".again")
	if gone == nil || gone.Response == nil {
		j.end(CouldNotRun, "the registration was not deleted")
		return
	}
	if read != nil && read.Response != nil && read.status() != 200 {
		j.fail(read, "a registration cannot be read with its token").differ("200", fmt.Sprint(read.status()))
	}
	if s := gone.status(); s != 204 && s != 200 {
		j.fail(gone, "a registration cannot be deleted with its token").differ("204", fmt.Sprint(s)).Rules = []rules.ID{rules.DCRDelete}
		return
	}
	if again != nil && again.Response != nil && again.status() == 200 {
		j.fail(again, "a deleted registration can still be read").differ("401", "200").Rules = []rules.ID{rules.DCRDelete}
	}
	stay := 0
	for _, l := range j.e.Leftovers() {
		if l.Kind == KeptRegistration {
			stay++
		}
	}
	if stay > 0 {
		j.end(Fact, fmt.Sprintf("%d registrations stay", stay))
	}
}

// judgeApplicationType expects that a web client with a loopback redirect is refused.
func judgeApplicationType(j *judgement) {
	if j.e.Account != nil && j.e.Account.RedirectURI != "" && !wire.IsLoopbackHTTP(j.e.Account.RedirectURI) {
		j.end(CouldNotRun, "the redirect URI of the audit is not on loopback")
		return
	}
	for _, x := range j.registering(probeRegister + "web") {
		got := x.object()
		kind, named, _ := got.String("application_type")
		uris, _, _ := got.Strings("redirect_uris")
		if id, _ := j.e.member(x.Probe, "client_id"); id != "" && (!named || kind == "web") && len(uris) > 0 {
			j.fail(x, "a web client is registered with a redirect URI on loopback").differ("400, or native", fmt.Sprint(x.status())+" "+kind)
		}
	}
}

// judgeAfterDelete expects that a deleted client is refused on the server's own page.
func judgeAfterDelete(j *judgement) {
	x := j.e.probe(probeDeleted)
	if x == nil || x.Response == nil {
		if len(j.registering(registration)) > 0 {
			j.end(NotApplicable, "the server gives no way to delete a registration (RFC 7592)")
		}
		return
	}
	redirect := j.e.Account.RedirectURI
	switch l := landed(x, redirect); {
	case l == accepted:
		j.fail(x, "a client that was deleted gets a code").differ("an error page", fmt.Sprint(x.status())).Severity = High
	case strings.HasPrefix(strings.Join(x.got("Location"), " "), redirect):
		j.fail(x, "the error is sent to the redirect URI of a client that was deleted").differ("an error page", fmt.Sprint(x.status())).Severity = Low
	case l == unclear && j.looksFirst():
		j.fail(x, "a client that was deleted leads to the login").differ("an error page", fmt.Sprint(x.status())).Confidence = Likely
	case l == unclear:
		j.end(CouldNotRun, "a login page comes first: requests are looked at behind it")
	}
}
