# Three commands are all that a newcomer needs: make demo, make test, make e2e.
# "make help" lists the rest.

GO      ?= go
DATA    ?=
MINUTES ?= 5
BIN     := bin/picket
SOURCES := $(shell find . -name '*.go' -not -path './.peers/*') go.mod go.sum

.PHONY: help demo build test e2e e2e-aws bench soak fuzz model evaluation life clean

help: ## list what make can do
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: $(BIN) ## build bin/picket, one static binary

$(BIN): $(SOURCES)
	CGO_ENABLED=0 $(GO) build -trimpath -tags lambda.norpc -ldflags "-s -w" -o $(BIN) ./cmd/picket

demo: build ## run the main job: raw logs in, explained findings out
	@$(BIN) demo

test: ## vet, staticcheck, and every fast test, with the race detector where there is a C compiler
	@bench/test.sh

e2e: ## what is slow or needs peers: kill test, real XGBoost, the AWS system on an emulator
	@bench/e2e.sh

e2e-aws: ## the AWS system in the account of your AWS credentials, made and removed again; see docs/deploy.md
	@bench/aws.sh real

bench: build ## Go micro-benchmarks for benchstat; ingest beside DuckDB; the endpoint beside gunicorn; from object to finding; with TREES=all the trees; INGEST=vpc,names for single rows of ingest alone
ifdef INGEST
	@bench/ingest.sh
else
	@bench/bench.sh
	@bench/ingest.sh
	@bench/server.sh
	@bench/aws.sh bench
endif

soak: build ## picket up under a steady feed for MINUTES (5): does memory, or anything else, grow?
	@$(GO) run ./bench/server soak -for $(MINUTES)m -write docs/benchmarks.md

fuzz: ## fuzz every parser; FUZZTIME=10m by default
	@bench/fuzz.sh

model: build ## make the embedded default package again from the simulator; DATA=DIR checks that the sets it was judged by are there
	@bench/model.sh "$(DATA)"

evaluation: build ## measure the shipped model on the public sets in DATA=DIR; writes docs/evaluation.md
	@bench/evaluation.sh "$(DATA)"

life: build ## follow one real record through every stage; writes docs/life-of-a-record.md
	@bench/life.sh

clean: ## remove what make built
	rm -rf bin .peers picket-data
