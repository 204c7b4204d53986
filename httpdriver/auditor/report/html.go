package report

import (
	_ "embed"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/fsm/audit"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("audit").Funcs(template.FuncMap{
	"link": Link, "cited": cited, "also": also, "join": func(list []string) string { return strings.Join(list, ", ") },
}).Parse(pageText))

// exchangeView is an exchange as the page shows it.
type exchangeView struct {
	Number          int
	Title           string
	Request, Answer []string
	RequestBody     string
	AnswerBody      string
	Status          int
	Failure         string
	Findings        []audit.Finding
}

// HTML writes one page that needs no other files: what could not be run, the findings
// with the worst first and a filter, what passed in one line for each family, and the
// evidence. If e is nil, the exchanges are left out.
func HTML(w io.Writer, r audit.Report, e *audit.Evidence) error {
	findings := r.Findings()
	var unknown []audit.Verdict
	for _, v := range r.Verdicts {
		if v.Outcome == audit.CouldNotRun {
			unknown = append(unknown, v)
		}
	}
	families := byFamily(r)
	var views []exchangeView
	if e != nil {
		for i, x := range e.Exchanges {
			v := exchangeView{Number: i + 1, Title: clean(x.Request.Method + " " + x.Request.URL), Failure: clean(x.Failure)}
			for _, h := range x.Request.Header {
				v.Request = append(v.Request, clean(h.Name+": "+h.Value))
			}
			v.RequestBody = clip(x.Request.Body)
			if x.Response != nil {
				v.Status = x.Response.Status
				for _, h := range x.Response.Header {
					v.Answer = append(v.Answer, clean(h.Name+": "+h.Value))
				}
				v.AnswerBody = clip(x.Response.Body)
			}
			for _, f := range findings {
				if f.Exchange == i+1 || slices.Contains(f.Also, i+1) {
					v.Findings = append(v.Findings, f)
				}
			}
			views = append(views, v)
		}
	}
	return page.Execute(w, struct {
		Report    audit.Report
		Summary   string
		Findings  []audit.Finding
		Accepted  []audit.Finding
		Unknown   []audit.Verdict
		Families  []familyView
		Exchanges []exchangeView
	}{r, Summary(r), findings, r.Accepted(), unknown, families, views})
}

// clip bounds a body on the page.
func clip(b []byte) string {
	const most = 4000
	if len(b) > most {
		return clean(string(b[:most])) + " …"
	}
	return clean(string(b))
}
