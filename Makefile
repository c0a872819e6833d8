PYTHON ?= python3.11
PORT ?= 8000
# Most tests wait for processes of theirs, so that one a core would leave cores idle.
JOBS ?= 3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help run test faults lint format lock measure scale bench-enrich bench-serve images rehearse headline reference clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/installed-benchmark: requirements-benchmark.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-benchmark.txt
	@touch $@ $(VENV)/installed

$(VENV)/installed-dev: requirements-dev.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@ $(VENV)/installed $(VENV)/installed-benchmark

run: $(VENV)/installed ## make a store of the samples, train, and serve it on PORT with a worker beside it
	PORT=$(PORT) $(BIN)/python deploy/local.py

test: $(VENV)/installed-dev ## run all tests, on SQLite and on a real PostgreSQL
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(TESTS)

faults: $(VENV)/installed-dev ## inject every fault in full, which takes long: make faults TESTS=tests/faults/test_poison.py
	VEILLEUSE_FAULTS=full $(BIN)/python -m pytest -v $(if $(TESTS),$(TESTS),tests/faults)

lint: $(VENV)/installed-dev ## check style, types and the house's layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed-dev ## put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(VENV)/installed-dev ## pin and hash the requirements anew
	sh deploy/lock.sh $(BIN)/uv

measure: $(VENV)/installed ## five folds on real data: make measure REAL_DATA=folder
	$(BIN)/python deploy/measure.py $(REAL_DATA)

scale: $(VENV)/installed ## time and memory at 10 k and 100 k records: make scale RECORDS="10000 1000000"
	$(BIN)/python -m deploy.scale $(RECORDS)

bench-enrich: $(VENV)/installed-dev ## what enrichment costs, and those beside it: make bench-enrich PARTS="web burst"
	$(BIN)/python -m benchmark.comparison.enrichment $(PARTS)

bench-serve: $(VENV)/installed-dev ## what the web process holds: make bench-serve REAL_DATA=folder PARTS="users crowd --share 0.1"
	$(BIN)/python -m benchmark.comparison.serving --data $(REAL_DATA)/intents-fr.json $(PARTS)

images: ## build the images with podman or docker
	sh deploy/images.sh

rehearse: $(VENV)/installed-dev ## deploy, roll back and go forward under load, as a platform does: make rehearse BACK=HEAD~3
	$(BIN)/python -m benchmark.deploy_drill $(if $(BACK),--back $(BACK))

headline: $(VENV)/installed-dev ## measure ours beside its peers, and write the README's table and figure: make headline REAL_DATA=folder
	benchmark/compare.sh --out docs/standing $(if $(REAL_DATA),--data $(REAL_DATA)/intents-fr.json)
	$(BIN)/python -m benchmark.comparison.readme_table docs/standing

reference: $(VENV)/installed-dev ## write what the docs say of settings, commands and routes
	$(BIN)/python -m deploy.reference

clean: ## remove what was installed and the local store
	rm -rf $(VENV) veilleuse.db veilleuse.db-wal veilleuse.db-shm
