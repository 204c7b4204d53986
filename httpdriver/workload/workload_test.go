package workload_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/httpdriver/workload"
)

func TestSources(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	write := func(s string) {
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	github := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer of-the-job" || r.URL.Query().Get("api-version") != "2" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = w.Write([]byte(`{"value":"for.` + strings.TrimPrefix(r.URL.Query().Get("audience"), "https://") + `.x"}`))
	}))
	defer github.Close()
	env := map[string]string{
		"TOKEN": "of.the.environment", "AZURE_FEDERATED_TOKEN_FILE": path,
		"ACTIONS_ID_TOKEN_REQUEST_URL": github.URL + "/?api-version=2", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of-the-job",
	}
	getenv := func(n string) string { return env[n] }
	want := func(name string, s workload.Source, token, bad string) {
		t.Helper()
		got, err := s(t.Context(), []string{"https://as.example", "https://as.example/token"})
		if got != token || (err != nil) != (bad != "") || err != nil && !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	write("one.two.three\n")
	want("a file", workload.File(path), "one.two.three", "")
	write("four.five.six")
	want("the file, replaced", workload.File(path), "four.five.six", "")
	want("Azure", workload.Azure(getenv), "four.five.six", "")
	want("a variable", workload.Env(getenv, "TOKEN"), "of.the.environment", "")
	want("GitHub", workload.GitHub(getenv), "for.as.example.x", "")
	env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = "of-another-job"
	want("GitHub refuses", workload.GitHub(getenv), "", "answered 403")
	delete(env, "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	want("no GitHub", workload.GitHub(getenv), "", "id-token: write")
	want("no variable", workload.Env(getenv, "NONE"), "", "holds no assertion")
	write("two words")
	want("rubbish", workload.File(path), "", "holds no assertion")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	want("no file", workload.File(path), "", "workload: ")
	sh, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	want("a command that fails", workload.Command(sh, "-no-such-flag"), "", "the command")
	if _, err := os.Stat("/bin/sh"); err == nil {
		want("a command", workload.Command("/bin/sh", "-c", `echo "a.$STILE_AUDIENCE.b"`), "a.https://as.example.b", "")
	}
}
