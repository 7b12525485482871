# weir: build, test and prove. Everything a target needs it installs itself, pinned and checked, below .cache/.
# Only Go, a C compiler, Python 3 and make have to be there.
SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION  := 0.1.0
LDFLAGS  := -s -w -X main.version=$(VERSION)
GO       ?= go
FUZZTIME ?= 10s
export GOTOOLCHAIN := local
export GOFLAGS := -buildvcs=false

# go.mod of the benches that pull in peers is their own; everything else is one module.
PKGS := ./...

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/weir
	$(GO) build -ldflags '$(LDFLAGS)' -o bin/weir ./cmd/weir

.PHONY: setup
setup: ## fetch ONNX Runtime's library by digest into .cache
	scripts/onnxruntime.sh

.PHONY: demo
demo: setup build ## run the whole loop on real data (under a minute after the build)
	bin/weir demo

.PHONY: test
test: setup build wasm-check retrain-check vectors-check ## set up and pass every test
	$(GO) vet $(PKGS)
	$(GO) test -count=1 -timeout 20m $(PKGS)

# Left out are packages without goroutines (guests, rewriting, vectors), the command line, whose scripts run the others as they are, and
# Extism's modules, which are of Go: to compile those takes the race detector minutes.
NO_RACE := cmd/weir|plugins|bench/offline|sdk/(c|guest|examples|assemblyscript|scaffold)|host/plugin/(fuel|plugintest)

.PHONY: race
race: setup build ## the tests of what runs at once under the race detector, kill loops shortened
	$(GO) test -race -short -timeout 25m -skip '^TestExtism' $$($(GO) list $(PKGS) | grep -vE '/($(NO_RACE))$$')

.PHONY: wasm
wasm: ## rebuild the committed plugins from source
	plugins/build.sh

.PHONY: wasm-check
wasm-check: ## rebuild the committed plugins elsewhere and compare digests
	plugins/build.sh --check

.PHONY: retrain-check
retrain-check: ## train the example models again and compare their metrics
	"$$(scripts/venv.sh train examples/breast-cancer/requirements.txt)" examples/breast-cancer/retrain_test.py

.PHONY: vectors-check
vectors-check: ## make the references of tests again and compare (scikit-learn, scipy, numpy)
	"$$(scripts/venv.sh train examples/breast-cancer/requirements.txt)" sdk/examples/vectors.py --check
	"$$(scripts/venv.sh train examples/breast-cancer/requirements.txt)" host/fit/testdata/fit.py --check
	plugins/vectors.sh --check

.PHONY: fuzz
fuzz: setup ## every fuzz target for FUZZTIME (10s)
	scripts/fuzz.sh $(FUZZTIME)

.PHONY: bench
bench: setup ## the Go benchmarks of every hot path
	$(GO) test -run '^$$' -bench . -benchmem $(PKGS)

.PHONY: bench-plugins
bench-plugins: ## plugins beside their peers, in one run (numpy, wasmtime, Extism, Redpanda Connect)
	bench/plugins/build.sh
	$(GO) build -C bench/plugins -o ../../.cache/bench-plugins-bin .
	.cache/bench-plugins-bin -root .

.PHONY: soak
soak: setup build ## kill loops, fuzzing and the demo at full counts (about an hour)
	WEIR_KILL_ROUNDS=200 $(GO) test -count=1 -timeout 60m -run 'Kill|Crash' ./kv/... ./functions/... ./cmd/weir/...
	scripts/fuzz.sh 2m
	for i in 1 2 3 4 5; do bin/weir demo; done

.PHONY: lint
lint: ## gofmt, vet and golangci-lint (compiled once into .cache)
	scripts/lint.sh

.PHONY: gen
gen: ## rewrite the generated reference pages
	$(GO) test ./host/config ./host/edge/... ./cmd/weir -run 'Golden|Reference' -update

.PHONY: check
check: test race lint ## what CI runs, then a clean git status
	$(MAKE) fuzz FUZZTIME=10s
	$(MAKE) demo
	git diff --exit-code
	test -z "$$(git status --porcelain)"

.PHONY: clean
clean: ## remove what was built (the cache of fetched things stays)
	rm -rf bin
