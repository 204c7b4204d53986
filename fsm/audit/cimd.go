package audit

import (
	"fmt"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// documentChecks are about clients that are known by a metadata document.
var documentChecks = []Check{
	{ID: "cimd.accepts", Rules: []rules.ID{rules.ASCIMDAdvertise, rules.CIMDAdvertisedButRefused}, Severity: High, Safety: Residue, Threat: Interop,
		Does:   "Opens the authorization endpoint as a client with a metadata document: the one of --client-id, or one that the audit serves to a server of this machine.",
		Passes: "The endpoint continues with the login.",
		Why:    "The metadata says that documents are accepted, so the client tries no other way.",
		Fix:    "Fetch the document, or remove client_id_metadata_document_supported from the metadata.",
		plan:   planDocuments, judge: judgeDocumentAccepted},
	{ID: "cimd.mismatch", Rules: []rules.ID{rules.ASCIMDMatch, rules.ASCIMDRedirect, rules.ASCIMDNoSecret, rules.ASCIMDNoRedirects, rules.ASCIMDSize, rules.ASCIMDValid}, Severity: High, Safety: Residue, Threat: Phishing,
		Does:   "Does the same with documents that name another client, another redirect URI or a secret, that redirect, are missing, too long, or a web page.",
		Passes: "Each is refused, and nothing is sent to the redirect URI.",
		Why:    "Nothing but the document says who a client is.",
		Fix:    "Compare client_id with the address that was fetched, follow no redirect, take JSON of 5 KiB at most.",
		plan:   planDocuments, judge: judgeDocumentMistakes},
	{ID: "cimd.methods", Rules: []rules.ID{rules.CIMDMethodsArray}, Severity: Info, Safety: Residue, Threat: Interop,
		Does:   "Does the same with a document that lists several authentication methods (a draft), and with one whose list has none that the server knows.",
		Passes: "The first is accepted, the second refused.",
		Why:    "A client with one document for many servers lists what it can do.",
		Fix:    "Choose a method of the list that you support.",
		plan:   planDocuments, judge: judgeDocumentMethods},
	{ID: "cimd.ssrf", Rules: []rules.ID{rules.ASCIMDSSRF}, Severity: Critical, Safety: Residue, Threat: SSRF,
		Does:   "Opens the authorization endpoint with a document at the name of --private-host, which leads into a private network, and at a name that does not exist.",
		Passes: "Both are refused, and it takes equally long.",
		Why:    "Otherwise anybody can use the server to explore its private network.",
		Fix:    "Judge the address when connecting, and refuse private ones.",
		plan:   planPrivateDocument, judge: judgePrivateDocument},
}

// documentMistakes are the documents that must be refused, each with its rule.
var documentMistakes = []struct {
	name, says string
	rule       rules.ID
}{
	{"other", "the document of another client is taken", rules.ASCIMDMatch},
	{"redirect", "a redirect URI that the document does not list is taken", rules.ASCIMDRedirect},
	{"secret", "a document with a secret is taken", rules.ASCIMDNoSecret},
	{"moved", "a document behind a redirect is taken", rules.ASCIMDNoRedirects},
	{"missing", "a document that is answered 404 is taken", rules.ASCIMDValid},
	{"page", "a web page is taken for a document", rules.ASCIMDValid},
	{"long", "a document of more than 5 KiB is taken", rules.ASCIMDSize},
}

const probeDocument = "cimd."

// documented reports whether the issuer says that it accepts metadata documents.
func (e *Evidence) documented() bool {
	m, ok := e.home()
	flag, _, _ := m.obj.Bool("client_id_metadata_document_supported")
	return ok && flag
}

// asDocument asks for a login as the client at an address.
func (e *Evidence) asDocument(name, id string) Probe {
	return Probe{Label: probeDocument + name, Leg: LegOther, Request: wire.Request{Method: "GET",
		URL: at(e.address("authorization_endpoint"), put(e.question("cimd"), "client_id", id)), Header: wire.Fields{{Name: "Accept", Value: "text/html"}}}}
}

// planDocuments asks for a login as each client of the listener, if the one with the
// correct document is accepted.
func planDocuments(e *Evidence) []Probe {
	out := planASM(e)
	if e.Account == nil || e.Canary == "" || !answered(e, out) || !e.documented() || e.address("authorization_endpoint") == "" {
		return out
	}
	out = append(out, e.asDocument("good", e.Canary+pathClient+"good"))
	if x := e.probe(probeDocument + "good"); x == nil || x.Response == nil || landed(x, e.Account.RedirectURI) == refused {
		return out
	}
	for _, m := range documentMistakes {
		out = append(out, e.asDocument(m.name, e.Canary+pathClient+m.name))
	}
	return append(out, e.asDocument("methods", e.Canary+pathClient+"methods"), e.asDocument("no-method", e.Canary+pathClient+"no-method"))
}

// given reports whether the audit's own client is known by a document.
func (e *Evidence) given() bool {
	return e.Account != nil && strings.HasPrefix(e.Account.ClientID, "https://")
}

// takesDocuments ends a check if the issuer accepts no documents or none could be served.
func (j *judgement) takesDocuments() bool {
	switch x := j.e.probe(probeDocument + "good"); {
	case len(j.metadata()) == 0:
	case !j.e.documented():
		j.end(NotApplicable, "the issuer does not say that it takes metadata documents")
	case j.e.Account == nil:
		j.end(CouldNotRun, "there is no redirect URI to ask with")
	case x == nil || x.Response == nil:
		j.end(CouldNotRun, "the audit serves documents to servers of this machine only")
	case landed(x, j.e.Account.RedirectURI) == refused:
		j.end(CouldNotRun, "the right document is refused as well: the server may take none that this machine serves")
	default:
		return true
	}
	return false
}

func judgeDocumentAccepted(j *judgement) {
	x, own := j.e.probe(probeDocument+"good"), false
	if j.e.given() {
		x, own = j.e.probe(probeAuthorize+"good"), true
	}
	if x == nil || x.Response == nil || !j.e.documented() {
		if j.takesDocuments(); j.v.Outcome == CouldNotRun {
			j.end(CouldNotRun, "no document was given (--client-id https://…), and the audit serves one to servers of this machine only")
		}
		return
	}
	registered := j.e.probe(probeAuthorize + "good")
	switch l := landed(x, j.e.Account.RedirectURI); {
	case l != refused:
	case !own && registered != nil && registered.Response != nil && landed(registered, j.e.Account.RedirectURI) == refused:
		j.end(CouldNotRun, "the right request of a registered client is refused as well (az.goes-on)")
	case own || strings.HasPrefix(j.e.Canary, "https:"):
		j.fail(x, "the metadata says that documents are taken, and a right one is refused").differ("a login", fmt.Sprint(x.status()))
	default:
		j.end(CouldNotRun, "the server takes no document at plain http of this machine; give one (--client-id https://…)")
	}
}

func judgeDocumentMistakes(j *judgement) {
	if !j.takesDocuments() {
		return
	}
	redirect := j.e.Account.RedirectURI
	good := landed(j.e.probe(probeDocument+"good"), redirect)
	for _, m := range documentMistakes {
		x := j.answer(probeDocument + m.name)
		if x == nil {
			continue
		}
		switch l := landed(x, redirect); {
		case l == accepted, l == unclear && j.looksAtDocuments():
			f := j.accepts(x, l, m.says)
			f.Rules, f.Layer = []rules.ID{m.rule}, AuthServer
		case strings.HasPrefix(strings.Join(x.got("Location"), " "), redirect):
			f := j.fail(x, "the error is sent to the redirect URI of a document that is no good").differ("an error page", fmt.Sprint(x.status()))
			f.Rules, f.Severity, f.Layer = []rules.ID{m.rule}, Low, AuthServer
		case l == unclear && good == unclear:
			j.end(CouldNotRun, "a login page comes first: documents are looked at behind it")
		}
	}
}

// looksAtDocuments reports whether one of the bad documents was refused. If so, a
// login page means acceptance.
func (j *judgement) looksAtDocuments() bool {
	for _, m := range documentMistakes {
		if x := j.e.probe(probeDocument + m.name); x != nil && x.Response != nil && landed(x, j.e.Account.RedirectURI) == refused {
			return true
		}
	}
	return false
}

func judgeDocumentMethods(j *judgement) {
	if !j.takesDocuments() {
		return
	}
	some, none := j.answer(probeDocument+"methods"), j.answer(probeDocument+"no-method")
	if some == nil || none == nil {
		return
	}
	if landed(some, j.e.Account.RedirectURI) == refused {
		j.fail(some, "a document that lists its methods is refused").differ("a login", fmt.Sprint(some.status())).Layer = AuthServer
	}
	if l := landed(none, j.e.Account.RedirectURI); l == accepted || l == unclear && j.looksAtDocuments() {
		f := j.accepts(none, l, "a document whose list has no method of the server is taken")
		f.Layer = AuthServer
	}
}

// planPrivateDocument names one document at a private address, and one at a host that
// does not exist.
func planPrivateDocument(e *Evidence) []Probe {
	out := planASM(e)
	if e.Account == nil || e.Account.Private == "" || !answered(e, out) || !e.documented() || e.address("authorization_endpoint") == "" {
		return out
	}
	return append(out, e.asDocument("nowhere", "https://"+canary+"/client.json"), e.asDocument("private", "https://"+e.Account.Private+"/stile-audit/client.json"))
}

// slower is how much longer an answer must take to reveal whether something listens at
// an address.
const slower = 3 * time.Second

func judgePrivateDocument(j *judgement) {
	switch {
	case len(j.metadata()) == 0:
		return
	case !j.e.documented():
		j.end(NotApplicable, "the issuer does not say that it takes metadata documents")
		return
	case j.e.Account == nil || j.e.Account.Private == "":
		j.end(CouldNotRun, "no name was given that leads into a private network (--private-host)")
		return
	}
	x, nowhere := j.answer(probeDocument+"private"), j.answer(probeDocument+"nowhere")
	if x == nil || nowhere == nil {
		return
	}
	switch l := landed(x, j.e.Account.RedirectURI); {
	case l == accepted, l == unclear && landed(nowhere, j.e.Account.RedirectURI) == refused:
		j.accepts(x, l, "a document at a private address is taken").Layer = AuthServer
	case l == unclear:
		j.end(CouldNotRun, "a login page comes first: documents are looked at behind it")
	case x.Took > nowhere.Took+slower:
		f := j.fail(x, "the time of the answer tells that the server connects to a private address").differ(nowhere.Took.Round(time.Second).String(), x.Took.Round(time.Second).String())
		f.Severity, f.Confidence, f.Layer = Medium, Likely, AuthServer
	}
}
