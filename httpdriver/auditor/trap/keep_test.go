//go:build unix

package trap_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver/auditor/report"
	"github.com/stile-oauth/stile/httpdriver/auditor/trap"
)

// What a client did is kept and read again: the same report, byte for byte, in
// every form, and the same evidence. Nothing that the client was given is in it.
func TestKeptClient(t *testing.T) {
	self, err := clientProgram()
	if err != nil {
		t.Fatal(err)
	}
	all, err := trap.Run(t.Context(), audit.SelectTraps([]string{"cl.state-wrong", "cl.store", "cl.listener", "cl.refresh-lost"}), trap.Options{
		Command: []string{self, "{url}"}, Env: []string{"STILE_TRAP_CLIENT=no-state-check,plain-store,any-host"}, Timeout: 15 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	kept, err := audit.MarshalClient(all)
	if err != nil {
		t.Fatal(err)
	}
	again, err := audit.ParseClient(kept)
	if err != nil {
		t.Fatal(err)
	}
	twice, err := audit.MarshalClient(again)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, twice) {
		t.Error("the evidence changes when it is read and written")
	}
	forms := func(all []audit.Evidence) string {
		r := audit.JudgeClient(all)
		if len(r.Findings()) < 3 {
			t.Fatalf("%d findings", len(r.Findings()))
		}
		joined, e := audit.Join(r, all)
		for _, f := range joined.Findings() {
			if f.Exchange > 0 && e.Exchanges[f.Exchange-1].Request.Method+" "+e.Exchanges[f.Exchange-1].Request.URL != f.Shown {
				t.Errorf("%s: exchange %d of the page is another one", f.Check, f.Exchange)
			}
		}
		var b strings.Builder
		for _, err := range []error{report.Text(&b, r, report.Style{}), report.JSON(&b, r), report.SARIF(&b, r), report.JUnit(&b, r), report.Markdown(&b, r), report.HTML(&b, joined, &e)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		return b.String()
	}
	if forms(all) != forms(again) {
		t.Error("the report is another one")
	}
	for _, bad := range []string{"", "{}", `{"format":"stile-evidence","version":1}`, `{"format":"stile-client-evidence","version":9}`} {
		if _, err := audit.ParseClient([]byte(bad)); err == nil {
			t.Errorf("%q is taken for evidence", bad)
		}
	}
}
