PYTHON ?= python3
BIN := .venv/bin
PROTOS := $(shell find protos -name "*.proto")

.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*\#\# .*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## List the commands.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

setup: .venv/ready build/protos.ready build/refusals.ready build/node.ready ## Create the environment and generate the protobuf code.

.venv/ready: pyproject.toml requirements.lock
	test -x $(BIN)/uv || ($(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9)
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --require-hashes -r requirements.lock
	printf '%s\n%s\n' "$(CURDIR)" "$(CURDIR)/protos" > $$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/duebook.pth
	touch $@

build/protos.ready: .venv/ready $(PROTOS) shared/client/generate.py shared/client/client.py.jinja deploy/asyncapi.py deploy/proto_text.py
	$(BIN)/python -m grpc_tools.protoc -I protos --python_out=protos --pyi_out=protos --grpc_python_out=protos $(PROTOS)
	mkdir -p build
	$(BIN)/python -m grpc_tools.protoc -I protos --include_source_info -o build/protos.binpb $(PROTOS)
	$(BIN)/python -m shared.client.generate build/protos.binpb protos
	$(BIN)/python -m deploy.refusal_classes
	$(BIN)/python -m deploy.asyncapi
	touch $@

build/refusals.ready: build/protos.ready $(shell find services shared -name '*.py')
	$(BIN)/python -m deploy.refusal_classes
	touch $@

build/node.ready: tests/system/node/package-lock.json
	mkdir -p build
	if command -v npm > /dev/null; then cd tests/system/node && npm ci --silent --no-audit --no-fund; \
	else echo "npm is not here: the tests go without the nats.js subscriber"; fi
	touch $@

ORACLES := hledger libgmp10 golang-1.19-go golang-1.19-src golang-golang-x-mod-dev

oracles: ## Fetch hledger and Go's sumdb from Debian into build/oracles, uninstalled; the tests then ask them too.
	rm -rf build/oracles && mkdir -p build/oracles
	cd build/oracles && apt-get download $(ORACLES) && for deb in *.deb; do dpkg -x $$deb . && rm $$deb; done

lock: ## Pin every dependency again, with hashes.
	VIRTUAL_ENV=.venv $(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet -o requirements.lock
	VIRTUAL_ENV=.venv $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet -o deploy/requirements.lock
	VIRTUAL_ENV=.venv $(BIN)/uv pip compile --group pyproject.toml:training --no-deps --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet -o requirements-training.lock

training: .venv/training ## Add what training and trying risk's models needs.

.venv/training: .venv/ready requirements-training.lock
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-deps --require-hashes -r requirements-training.lock
	touch $@

train: training ## Train risk's champion and challenger: make train DATA=german.
	$(BIN)/python -m services.risk train $(or $(DATA),german)

evaluate: training build/protos.ready ## Try risk's models on held-out folds of every set, against the bars; HTML=page.
	$(BIN)/python -m services.risk evaluate $(if $(HTML),--html $(HTML))

bench-risk: setup ## Measure decisions against an empty echo, and a million loans' allowances; QUICK=1.
	$(BIN)/python -m tests.bench.risk $(if $(QUICK),--quick)

decisions: setup ## Make 10,000 decisions, and all of them again in another process.
	DECISIONS=10000 $(BIN)/python -m pytest -q tests/services/risk/test_replay.py

warnings: setup ## Try early warning on the stream of a running suite, out of time; or TAPE=file.
	$(BIN)/python -m deploy.sample.warnings $(if $(TAPE),--tape $(TAPE))

run: setup ## Run the suite with the sample book until Ctrl-C.
	$(BIN)/python -m deploy.local run

demo: setup ## The same, and exit after the summary.
	$(BIN)/python -m deploy.local demo

replay: setup ## Replay the whole book and compare it with the read models, row by row.
	$(BIN)/python -m deploy.local replay

recompute: setup ## Let DuckDB, beancount and hledger recompute the whole book; a cent apart is red. For every night.
	$(BIN)/python -m deploy.local recompute

rebuild: setup ## Build the read models again beside the live ones, compare every row, and switch.
	$(BIN)/python -m deploy.local rebuild

cases: setup ## Run published cases, or those of FILES="a.jsonl b.jsonl".
	@$(BIN)/python -m tests.cases $(or $(FILES),$(wildcard tests/cases/published/*.jsonl))

tamper: setup ## Tamper with copies of a sealed book in every way listed, and print what finds what.
	@$(BIN)/python -m tests.tamper

fraud: setup ## Seed twelve kinds of fraud into an honest book, and count what the entry tests find.
	@$(BIN)/python -m tests.fraud

laws: setup ## Try the ledger's laws on fifty times as many random loans.
	LAWS_TIMES=50 $(BIN)/python -m pytest -n 2 tests/services/ledger/domain/test_laws.py tests/services/ledger/domain/test_two_clocks.py tests/services/ledger/domain/test_properties.py

applications: setup ## Walk the 1,000 real applications to the money or a refusal; counts by state and reason.
	$(BIN)/python -m deploy.local applications

picture: setup ## Draw the README's disclosure from build/documents (make applications) with pdfium and Debian's type.
	rm -rf build/picture && mkdir -p build/picture
	$(BIN)/uv pip install --quiet --target build/picture/lib --no-deps pypdfium2==5.15.2
	cd build/picture && apt-get download fonts-arphic-uming && dpkg -x fonts-*.deb .
	PYTHONPATH=build/picture/lib $(BIN)/python deploy/picture.py build/documents build/picture/usr/share/fonts/truetype/arphic services/origination/disclosure.png

disbursals: setup ## Kill a disbursal at every await, and 200 times over at random: one payout, always.
	DISBURSAL_STEP=1 DISBURSAL_SEEDS=200 $(BIN)/python -m pytest -n 2 tests/services/origination/test_disbursal_kills.py tests/services/origination/test_late_disbursals.py

bench: setup ## Measure against floors of the same run, into build/bench.json; QUICK=1 in under 3 minutes; BOOK=loans of one large book.
	$(BIN)/python -m tests.bench $(if $(QUICK),--quick) $(if $(BOOK),--book $(BOOK))

cpu: setup ## Measure where a repayment's processor time goes, by thread and process, on both stores.
	$(BIN)/python -m tests.bench.cpu

seals: setup ## Seal a million events and prove some; what sealing costs the writer; build/seals.json, sealing.json.
	$(BIN)/python -m tests.bench.seals
	$(BIN)/python -m tests.bench.sealing_cost

curves: setup ## Draw what repayments, days and books cost as they grow; LARGEST=loans of the largest book; QUICK=1 without books.
	$(BIN)/python -m tests.bench.curves $(if $(QUICK),--quick) $(if $(LARGEST),--largest $(LARGEST))

durable: setup ## Kill the ledger 200 times under load on each store, and count every id; TIMES=n.
	$(BIN)/python -m tests.simulation $(if $(TIMES),--times $(TIMES))

stream: setup ## Prove the stream: relay killed 20 times at each point, a man in the middle, leaders killed.
	$(BIN)/python -m tests.conformance.proofs middle
	$(BIN)/python -m tests.conformance.proofs cluster
	$(BIN)/python -m tests.conformance.proofs relay

latency: setup ## Measure p50 and p99 from a decision to a subscriber's handler, at half of the peak load.
	$(BIN)/python -m tests.bench.stream measure

conformance: setup ## Hold a subscriber against the kit: HANDLER=module:make, COMMAND="…" or SERVICE=risk; BACKLOG=n.
	$(BIN)/python -m tests.conformance $(if $(HANDLER),--handler $(HANDLER)) $(if $(COMMAND),--command "$(COMMAND)") $(if $(SERVICE),--service $(SERVICE)) $(if $(BACKLOG),--backlog $(BACKLOG))

test: setup ## Set everything up and pass all tests.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint protos
	$(BIN)/buf breaking protos --against protos/released.binpb
	$(BIN)/buf format -d --exit-code protos
	$(BIN)/python -m pytest -n 2

released: setup ## Take today's protos as the ones that must not break.
	$(BIN)/buf build protos -o protos/released.binpb

clean: ## Remove the environment and everything built.
	rm -rf .venv build data
	find protos -name '*_pb2*' -delete -o -name '*_client.py' -delete
	rm -f protos/lending/refusals.py
