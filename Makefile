# SPDX-FileCopyrightText: The Solekey authors
# SPDX-License-Identifier: Apache-2.0
#
#   make                   build bin/solekey and bin/solekeyd
#   make try DIR=~/Photos  a provider, two devices, a backup and a restore of DIR, on this machine, then gone again
#   make test              everything a change must pass
#   make help              the rest

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := build

PROGRAMS := $(patsubst cmd/%/main.go,%,$(wildcard cmd/*/main.go))
BUILD    := CGO_ENABLED=0 go build -trimpath -ldflags '-s -w'

# Longest time one package's tests may take; time given to each fuzz target; what `make bench` runs.
TIMEOUT  ?= 12m
FUZZTIME ?= 20s
BENCH    ?= .
COUNT    ?= 1

# Tests that change owners, mount file systems or set capabilities carry the build tag root.
ROOT := $(shell [ "$$(id -u)" -eq 0 ] && echo yes)
TAGS := $(if $(ROOT),-tags root)

# The race detector leaves out a database in translated C, compression and arithmetic of others: they start no
# goroutine that is ours to watch, and are ten times slower under it. test/world/programs.go has the same list.
CALM := $(foreach module,modernc.org github.com/cloudflare/circl github.com/klauspost/compress github.com/zeebo/blake3 golang.org/x/crypto,-gcflags=$(module)/...=-race=false)

# The checkers, at one version for everybody; they live in bin/tools and leave go.mod alone.
TOOLS       := bin/tools
GOFUMPT     := $(TOOLS)/gofumpt-v0.12.0
STATICCHECK := $(TOOLS)/staticcheck-v0.8.2

.PHONY: build try setup test test-root race long vet check format bench fuzz cover man help clean

build: ## build bin/solekey and bin/solekeyd: static, reproducible
	@mkdir -p bin
	@for program in $(PROGRAMS); do echo "build  bin/$$program"; $(BUILD) -o "bin/$$program" "./cmd/$$program"; done

try: build ## back DIR up to a provider on this machine, restore it on a second device, compare
	@if [ -z "$(DIR)" ]; then echo "make try needs a folder: make try DIR=~/Documents" >&2; exit 2; fi
	@dir="$(DIR)"; CGO_ENABLED=0 go run -trimpath ./test/try "$${dir/#\~/$$HOME}"

setup: ## install the Debian packages the tests need, if any is missing
	@./test/setup.sh

test: setup check race long ## everything a change must pass
	@echo "test   passed"
ifndef ROOT
	@echo "test   the tests of owners, mounts and capabilities need root: sudo make test-root"
endif

race: ## all tests under the race detector
	@echo "test   go test -race $(TAGS) ./..."
	@CGO_ENABLED=1 GORACE=atexit_sleep_ms=0 go test -race $(CALM) $(TAGS) -timeout $(TIMEOUT) ./... | grep --line-buffered -v '\[no test files\]'

# What counts and measures in one goroutine is in files that are tagged !race: the race detector sees nothing in
# it and makes it ten times slower.
long: ## the tests that run without the race detector alone
	@files=$$(grep -rlE '^//go:build !race$$' --include='*_test.go' .); \
	names=$$(grep -hoE '^func Test[A-Za-z0-9_]+' $$files | sed 's/^func //' | paste -sd'|'); \
	echo "test   go test -run of $$(tr '|' '\n' <<<"$$names" | wc -l) tests that the race detector leaves out"; \
	go test $(TAGS) -timeout $(TIMEOUT) -run "^($$names)$$" $$(dirname $$files | sort -u)

test-root: setup ## only the packages whose tests need root (run as root)
	@if [ -z "$(ROOT)" ]; then echo "make test-root must run as root" >&2; exit 2; fi
	@packages=$$(grep -rlE '^//go:build .*\broot\b' --include='*_test.go' . | xargs -r -n1 dirname | sort -u); \
	if [ -z "$$packages" ]; then echo "test   no test needs root"; else go test -tags root -timeout $(TIMEOUT) $$packages; fi

check: vet $(GOFUMPT) $(STATICCHECK) ## formatting, vet, staticcheck
	@echo "check  gofumpt"
	@wrong=$$($(GOFUMPT) -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
	if [ -n "$$wrong" ]; then printf 'check  not formatted (make format):\n%s\n' "$$wrong" >&2; exit 1; fi
	@echo "check  staticcheck"
	@$(STATICCHECK) $(TAGS) ./...

vet:
	@echo "check  go vet"
	@go vet $(TAGS) ./...

format: $(GOFUMPT) ## format every Go file
	@$(GOFUMPT) -l -w $$(git ls-files --cached --others --exclude-standard '*.go')

$(TOOLS)/gofumpt-%:
	@echo "tools  gofumpt $*"
	@GOBIN="$(CURDIR)/$(TOOLS)" GOFLAGS= go install mvdan.cc/gofumpt@$*
	@mv "$(TOOLS)/gofumpt" "$@"

$(TOOLS)/staticcheck-%:
	@echo "tools  staticcheck $*"
	@GOBIN="$(CURDIR)/$(TOOLS)" GOFLAGS= go install honnef.co/go/tools/cmd/staticcheck@$*
	@mv "$(TOOLS)/staticcheck" "$@"

bench: ## Go benchmarks; BENCH=pattern COUNT=n
	@go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) ./... | grep -v -e '\[no test files\]' -e '^PASS$$'

fuzz: ## every fuzz target for FUZZTIME each
	@grep -rHoE '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' . | sort | while IFS=: read -r file target; do \
		target=$${target#func }; echo "fuzz   $$(dirname "$$file") $$target"; \
		go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")" </dev/null | { grep -v -e '^fuzz: elapsed' -e '^PASS$$' || true; }; \
	done

cover: ## which lines the tests reach: cover.html
	@go test $(TAGS) -timeout $(TIMEOUT) -coverpkg ./... -coverprofile cover.out ./... >/dev/null
	@go tool cover -func cover.out | tail -n 1
	@go tool cover -html cover.out -o cover.html

man: build ## write the manual pages into man/
	@mkdir -p man
	@for program in $(PROGRAMS); do "bin/$$program" man man; done
	@echo "man    $$(ls man | wc -l) pages in man/"

clean: ## remove what was built
	@rm -rf bin man dist cover.out cover.html

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12
