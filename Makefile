# Everything a developer runs. `make` alone prints what there is.
#
# Each tool is pinned to an exact version and lives in ./bin or ./.cache, which
# git ignores; nothing is installed outside the tree except by .ci/run.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO ?= go
PKGS ?= ./...
# RACE= (empty) turns the race detector off; it is on because most of what can
# go wrong around a shared token is a race.
RACE ?= -race
# The race detector lets every program sleep for a second before it ends, also the
# hundreds of small ones that tests start. What ends has nothing to race any more.
export GORACE ?= atexit_sleep_ms=10
# What is built without the race detector is built as a release is, so that each package
# is compiled once for all steps.
export CGO_ENABLED ?= 0
export GOFLAGS := $(strip $(filter-out -trimpath,$(shell $(GO) env GOFLAGS)) -trimpath)
# Tests end soon and their memory with them, so the collector may wait longer than in a
# program that stays; with much memory in use it works as always.
export GOGC ?= 300
export GOMEMLIMIT ?= 3GiB
TIMEOUT ?= 10m
SOAKTIMEOUT ?= 40m
ATTACKTIMEOUT ?= 4m
FUZZTIME ?= 20s
FUZZFLAGS ?=
# How many mutated inputs each fuzz target takes in `make test`: a number, so
# that the same work is done on every machine.
FUZZCOUNT ?= 1000x
BENCHTIME ?= 1s
# How `make mutate` runs: a sample of each target, in bounded time.
MUTATE ?= -sample 40
BENCH ?= .

GOLANGCI_VERSION := v2.15.0
TOOLS_VERSION := v0.52.0
GORELEASER_VERSION := v2.16.0
CYCLONEDX_VERSION := v1.10.0
GOLANGCI := bin/golangci-lint-$(GOLANGCI_VERSION)
DEADCODE := bin/deadcode-$(TOOLS_VERSION)
GORELEASER := bin/goreleaser-$(GORELEASER_VERSION)
CYCLONEDX := bin/cyclonedx-$(CYCLONEDX_VERSION)/cyclonedx-gomod

# The core: what must build where there is no network and no operating system.
CORE := ./states/... ./transitions/... ./fsm/...
CROSS ?= windows/amd64 darwin/arm64
CROSSCORE ?= wasip1/wasm js/wasm

# COUNT=file passes the test runner's JSON through a counter, which prints the
# closing line "N passed, N failed, N skipped", appends it to that file, and
# with CI=true takes a skipped test for a failed one.
ifdef COUNT
  TESTJSON := -json
  TALLY = | $(GO) run .ci/testcount/main.go -label '$@' -append '$(COUNT)'
endif

.PHONY: help
help: ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | while IFS=$$'\t' read -r t d; do printf '  %-14s %s\n' "$$t" "$$d"; done

.PHONY: build
build: ## build the commands into ./bin, and the licences of what they hold
	$(GO) build -trimpath -o bin/ ./cmd/...
	$(GO) run .ci/notices/main.go bin/NOTICES.txt

.PHONY: notices
notices: ## write the licences of all that is linked into stile, which go with its binaries, to bin/NOTICES.txt
	$(GO) run .ci/notices/main.go bin/NOTICES.txt

# The packages that have no goroutine, where the race detector finds nothing and makes
# the tests ten times as slow: the core (fsm/purity_test.go keeps it so), and those
# with a file norace_test.go.
PURE = $(eval PURE := $$(shell $$(GO) list $$(CORE)) $$(shell $$(GO) list -f '$$(NORACE)' ./...))$(PURE)
NORACE = {{$$p := .ImportPath}}{{range .TestGoFiles}}{{if eq . "norace_test.go"}}{{$$p}}{{end}}{{end}}{{range .XTestGoFiles}}{{if eq . "norace_test.go"}}{{$$p}}{{end}}{{end}}
CHOSEN = $(eval CHOSEN := $$(shell $$(GO) list $$(PKGS)))$(CHOSEN)
ALONE = $(filter $(PURE),$(CHOSEN))
# Those whose tests take longest begin first, so that none of them runs on alone.
FIRST := %/httpdriver/auditor/trap %/cmd/stile %/httpdriver %/httpdriver/soak
OTHERS = $(filter-out $(PURE),$(CHOSEN))
BESIDE = $(foreach p,$(FIRST),$(filter $(p),$(OTHERS))) $(filter-out $(FIRST),$(OTHERS))
# One package more at a time than there are processors: many tests wait.
ATONCE ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )))

# All packages are compiled before the first test begins: from an empty build cache that takes
# minutes, which count in no test's time then. Where there are goroutines the tests mostly wait,
# so the others run beside them, with less of the processor where both want it. What runs in
# the background does not hear Ctrl-C itself.
.PHONY: test
test: ## go vet, every test (with the race detector where there are goroutines), fuzz-short (RACE= PKGS=./storage/...)
	$(GO) vet $(PKGS)
	@$(if $(RACE),CGO_ENABLED=1) $(GO) list $(RACE) -export -test -f '' $(BESIDE) >/dev/null
	@mkdir -p .cache; log=.cache/test-alone.log; \
	{ nice -n 10 $(MAKE) --no-print-directory test-alone && nice -n 10 $(MAKE) --no-print-directory fuzz-short; } >$$log 2>&1 & computing=$$!; \
	trap 'trap - INT TERM; kill -TERM 0' INT TERM; \
	status=0; $(MAKE) --no-print-directory test-beside || status=$$?; \
	wait $$computing || status=$$?; cat $$log; exit $$status

.PHONY: test-alone
test-alone: ## the tests of the packages without a goroutine (make test runs it)
	@if [ -z '$(ALONE)' ]; then exit 0; fi; \
	echo '$(GO) test $(ALONE)'; \
	$(GO) test -timeout $(TIMEOUT) $(TESTJSON) $(ALONE) $(TALLY)

.PHONY: test-beside
test-beside: ## the tests of all others, with the race detector (make test runs it)
	@if [ -z '$(BESIDE)' ]; then exit 0; fi; \
	echo '$(GO) test $(RACE) (all others)'; \
	$(if $(RACE),CGO_ENABLED=1) $(GO) test $(RACE) -p $(ATONCE) -timeout $(TIMEOUT) $(TESTJSON) $(BESIDE) $(TALLY)

# The packages whose long tests take longest start first, so that none of them runs on alone.
LONGEST := ./httpdriver/soak|./fsm/explore

# The long tests of the core compute; most others wait for processes and servers.
soak: SOAKED = cat
soak-core: SOAKED = grep -E '^\./(states|transitions|fsm)(/|$$)'
soak-rest: SOAKED = grep -vE '^\./(states|transitions|fsm)(/|$$)'

.PHONY: soak soak-core soak-rest
soak: ## the tests that take longer: those in files with the build tag soak
soak-core: ## the longer tests of the core; part of make soak
soak-rest: ## the longer tests of all other packages; part of make soak
soak soak-core soak-rest:
	@files=$$(git ls-files -co --exclude-standard '*_test.go' | xargs grep -l '^//go:build.*\bsoak\b' || true); \
	if [ -z "$$files" ]; then echo "no test has the build tag soak"; exit 0; fi; \
	names=$$(sed -nE 's/^func (Test[A-Za-z0-9_]+)\(.*/\1/p' $$files | sort -u | paste -sd '|'); \
	dirs=$$(for f in $$files; do echo "./$$(dirname $$f)"; done | sort -u | $(SOAKED)); \
	dirs=$$(grep -xE '$(LONGEST)' <<<"$$dirs" || true; grep -vxE '$(LONGEST)' <<<"$$dirs"); \
	echo $(GO) test -tags soak -run "'^($$names)\$$'" $$dirs; \
	$(GO) test -tags soak -timeout $(SOAKTIMEOUT) -run "^($$names)\$$" $(TESTJSON) $$dirs $(TALLY)

.PHONY: mutate
mutate: ## break the code in many places and name what no test notices (MUTATE="-sample 0 ./storage/sealed")
	$(GO) run .ci/mutate/*.go $(MUTATE)

.PHONY: attack
attack: ## every hostile world (package httpdriver/attack); make test visits a selection
	$(GO) test -tags attack -timeout $(ATTACKTIMEOUT) $(TESTJSON) ./httpdriver/attack $(TALLY)

.PHONY: fuzz-short
fuzz-short: ## every fuzz target with FUZZCOUNT mutated inputs (make test runs it)
	@.ci/fuzz -label '$@' -fuzztime $(FUZZCOUNT) -parallel 2 $(if $(COUNT),-append '$(COUNT)') $(PKGS)

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME each (FUZZTIME=2m PKGS=./states/wire)
	@.ci/fuzz -label '$@' -fuzztime $(FUZZTIME) $(FUZZFLAGS) -v $(PKGS)

.PHONY: bench
bench: export GOGC = 100
bench: ## every benchmark with allocations (BENCH=Cold BENCHTIME=3s PKGS=./httpdriver)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -benchtime $(BENCHTIME) $(PKGS)

.PHONY: lint
lint: $(GOLANGCI) deadcode ## gofmt, go vet, staticcheck and others (golangci-lint), deadcode, go mod tidy
	@bad=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	if [ -n "$$bad" ]; then echo "not gofmt'ed:"; echo "$$bad"; exit 1; fi
	$(GO) vet ./...
	$(GO) vet -tags stile_light ./storage/open ./cmd/stile
	$(GO) vet -tags stile_man ./cmd/stile
	$(GO) vet .ci/testcount/main.go
	$(GO) vet .ci/mutate/*.go
	$(GO) vet .ci/notices/main.go
	$(GO) vet .ci/release/mcpb/main.go
	$(GO) run .ci/notices/main.go bin/NOTICES.txt
	$(GO) mod tidy -diff
	cd docs/examples && $(GO) mod tidy -diff
	$(GOLANGCI) run --build-tags soak,attack ./...

# Functions that neither a command reaches nor a program that imports the library
# may call: whatever is not exported, or is internal, and is only reached by tests.
.PHONY: deadcode
deadcode: $(DEADCODE) ## functions that only tests use, or nothing
	@.ci/deadcode $(DEADCODE)

$(DEADCODE):
	@mkdir -p bin/tmp && GOBIN=$(CURDIR)/bin/tmp $(GO) install golang.org/x/tools/cmd/deadcode@$(TOOLS_VERSION) && mv bin/tmp/deadcode $@

$(GOLANGCI):
	@mkdir -p bin/tmp && GOBIN=$(CURDIR)/bin/tmp $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION) && mv bin/tmp/golangci-lint $@

# goreleaser finds the program that writes bills of materials by its name.
RELEASING = PATH="$(CURDIR)/$(dir $(CYCLONEDX)):$$PATH" GOFLAGS= \
	STILE_COMMIT_SECONDS=$$(git log -1 --format=%ct) \
	STILE_COMMIT_TIME=$$(TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd) $(GORELEASER)

.PHONY: release-dry
release-dry: $(GORELEASER) $(CYCLONEDX) ## build all that a release holds into ./dist, and publish nothing (STILE_ONE_TARGET=1: linux/amd64 alone)
	$(RELEASING) release --snapshot --clean --skip=publish,docker

.PHONY: release-check
release-check: ## the dry run for linux/amd64 twice, which must give the same files, and the .deb installed
	.ci/release/check

.PHONY: release
release: $(GORELEASER) $(CYCLONEDX) ## build the release of the tag that is checked out and put it on GitHub as a draft (docs/releasing.md)
	$(RELEASING) release --clean

$(GORELEASER):
	@mkdir -p bin/tmp && GOBIN=$(CURDIR)/bin/tmp $(GO) install github.com/goreleaser/goreleaser/v2@$(GORELEASER_VERSION) && mv bin/tmp/goreleaser $@

$(CYCLONEDX):
	@mkdir -p $(dir $@) && GOBIN=$(CURDIR)/$(dir $@) $(GO) install github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@$(CYCLONEDX_VERSION)

.PHONY: docs
docs: ## write the rule registry and the generated pages of docs/
	$(GO) generate ./states/rules
	$(GO) run ./cmd/stile-docs
	$(GO) run ./cmd/stile docs docs

.PHONY: docs-check
docs-check: ## fail when a generated page of docs/ is stale (and leave it renewed)
	@old=$$(mktemp -d); trap 'rm -rf "$$old"' EXIT; cp -R docs/. "$$old"; \
	$(GO) generate ./states/rules; git diff --exit-code states/rules; $(GO) run ./cmd/stile-docs; $(GO) run ./cmd/stile docs docs; \
	diff -rq "$$old" docs || { echo "docs/ was stale: commit what 'make docs' wrote"; exit 1; }

# `go list -export` compiles everything and links nothing; the one program that people get
# is linked. Whether it builds does not need an optimising compiler, which takes twice as long.
UNOPTIMISED := -gcflags='all=-N -l'
.PHONY: cross
cross: ## build for Windows and macOS, and the core for WebAssembly
	@for t in $(CROSS); do echo "$$t ./..."; \
		export CGO_ENABLED=0 GOOS=$${t%/*} GOARCH=$${t#*/}; \
		$(GO) list $(UNOPTIMISED) -export ./... >/dev/null; $(GO) build $(UNOPTIMISED) -o /dev/null ./cmd/stile; done
	@for t in $(CROSSCORE); do echo "$$t core"; GOOS=$${t%/*} GOARCH=$${t#*/} $(GO) build $(UNOPTIMISED) $(CORE); done

.PHONY: conformance
conformance: ## the official MCP suite against our client (CONFORMANCE="-only scope-step-up -v")
	$(GO) run ./cmd/stile-conformance/suite $(if $(COUNT),-append $(COUNT)) $(CONFORMANCE)

.PHONY: outside
outside: ## clients of others against our servers, and our client against servers of others (OUTSIDE="-only typescript -v")
	$(GO) run ./cmd/stile-conformance/outside $(if $(COUNT),-append $(COUNT)) $(OUTSIDE)

.PHONY: clean
clean: ## remove ./bin, ./dist and ./.cache
	rm -rf bin dist .cache
