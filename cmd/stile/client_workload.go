package main

import (
	"strings"

	"github.com/stile-oauth/stile/httpdriver/workload"
	"github.com/stile-oauth/stile/states"
)

// workloadSource is the source of the assertion for --grant workload; nil with other
// grants.
func (f *accountFlags) workloadSource(a *app) (workload.Source, error) {
	if grants[f.grant] != states.WorkloadGrant {
		return nil, nil
	}
	kind, rest, named := strings.Cut(f.workload, ":")
	switch {
	case kind == "file" && rest != "":
		return workload.File(rest), nil
	case kind == "env" && rest != "":
		return workload.Env(a.getenv, rest), nil
	case kind == "command" && rest != "":
		return workload.Command(rest), nil
	case kind == "github" && !named:
		return workload.GitHub(a.getenv), nil
	case kind == "azure" && !named:
		return workload.Azure(a.getenv), nil
	case f.workload == "":
		return nil, usage("--grant workload needs --workload-from: the source of the platform's assertion about this workload")
	}
	return nil, usage("--workload-from: %q is not one of file:PATH, env:NAME, command:PATH, github, azure", f.workload)
}
