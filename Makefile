PYTHON ?= python3.11
PORT ?= 8000
# Most tests wait for other processes: with one job per core, two cores would be idle for a third of the time.
JOBS ?= 4
XDIST := -n $(JOBS) --dist worksteal
VENV := .venv
BIN := $(VENV)/bin
CHECKOV := 3.3.30
# Names of images, namespace and store are yours (14, 15, 21, 43); a worker has no limit of processor time (11) and no
# probes (8, 9), for the reasons in the file; the settings come from the environment alone (35).
SKIPPED_RULES := CKV_K8S_14,CKV_K8S_15,CKV_K8S_21,CKV_K8S_43,CKV_K8S_11,CKV_K8S_8,CKV_K8S_9,CKV_K8S_35

.PHONY: help run test test-all faults fuzz soak simulate lint format lock measure quality scale exchange bench-enrich bench-serve images compose policy audit sbom rehearse headline growth reference translations clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

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

$(VENV)/installed-quality: requirements-quality.txt | $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-quality.txt
	@touch $@

$(VENV)/installed-fuzz: requirements-fuzz.txt $(VENV)/installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-fuzz.txt
	@touch $@

run: $(VENV)/installed ## create a store with the samples, train, and run a web process on PORT and a worker
	PORT=$(PORT) $(BIN)/python deploy/local.py

test: $(VENV)/installed-dev ## run the quick tests, which need nothing but Python, or some: make test TESTS=tests/browser
	$(BIN)/python -m pytest $(XDIST) $(if $(TESTS),$(TESTS),-m "not slow")

test-all: $(VENV)/installed-dev ## run every test: needs chromium, faketime, nginx and podman (see .ci/run), and root
	VEILLEUSE_TESTS=all $(BIN)/python -m pytest $(XDIST) $(TESTS)

faults: $(VENV)/installed-dev ## run the fault tests in full, which takes long: make faults TESTS=tests/faults/test_poison.py
	VEILLEUSE_FAULTS=full $(BIN)/python -m pytest -v -o faulthandler_timeout=0 $(if $(TESTS),$(TESTS),tests/faults)

fuzz: $(VENV)/installed-fuzz ## fuzz every parser for ten minutes, two at a time: make fuzz TARGETS="request csv" MINUTES=1
	$(BIN)/python -m tests.fuzz $(TARGETS) $(if $(MINUTES),--minutes $(MINUTES))

soak: $(VENV)/installed-dev ## restart, fail over, kill and deploy at random under load for 30 minutes: make soak MINUTES=5 SEED=7
	$(BIN)/python -m tests.soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED))

simulate: $(VENV)/installed-dev ## simulate months of predictions, to see that drift and alerts show a shift and nothing else: make simulate PARTS=drift
	$(BIN)/python -m tests.simulation $(PARTS)

lint: $(VENV)/installed-dev ## check format, style, types and import layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed-dev ## format the code and fix its style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(VENV)/installed-dev ## pin and hash the requirements
	sh deploy/lock.sh $(BIN)/uv

measure: $(VENV)/installed ## train and evaluate the samples on real data: make measure REAL_DATA=folder
	$(BIN)/python deploy/measure.py $(REAL_DATA)

quality: $(VENV)/installed-quality ## compare our models with scikit-learn's on public tables: make quality TABLES="wine oj" JSON=file
	$(BIN)/python -m deploy.quality $(TABLES) $(if $(JSON),--json $(JSON))

scale: $(VENV)/installed ## measure time and memory at 10 k and 100 k records: make scale RECORDS="10000 1000000"
	$(BIN)/python -m deploy.scale $(RECORDS)

exchange: $(VENV)/installed ## measure imports, predictions and publications: make exchange ROWS=1000000 DATABASE=URL
	$(BIN)/python -m deploy.exchange $(ROWS) $(DATABASE)

bench-enrich: $(VENV)/installed-dev ## measure enrichment, and its effect on the web process: make bench-enrich PARTS="web burst"
	$(BIN)/python -m benchmark.comparison.enrichment $(PARTS)

bench-serve: $(VENV)/installed-dev ## measure the web process and its peers: make bench-serve REAL_DATA=folder PARTS="users crowd --share 0.1"
	$(BIN)/python -m benchmark.comparison.serving --data $(REAL_DATA)/intents-fr.json $(PARTS)

images: ## build the container images with podman or docker
	sh deploy/images.sh

compose: images $(VENV)/installed-dev ## bring up deploy/compose.yaml with podman, and disturb it under load: needs root
	.ci/compose-images
	$(BIN)/python -m deploy.compose_drill

policy: $(VENV)/installed-dev ## check deploy/kubernetes.yaml by the rules of checkov, which is downloaded
	$(BIN)/uv tool run --quiet checkov@$(CHECKOV) --file deploy/kubernetes.yaml --compact --quiet --skip-download --skip-check $(SKIPPED_RULES)

audit: $(VENV)/installed-dev ## look for known vulnerabilities in the packages of the images
	$(BIN)/python deploy/audit.py

sbom: $(VENV)/installed-dev ## list the packages of the images, with their hashes, as CycloneDX files in sbom/
	mkdir -p sbom
	$(BIN)/cyclonedx-py requirements requirements-web.txt --output-file sbom/veilleuse-web.cdx.json
	$(BIN)/cyclonedx-py requirements requirements.txt --output-file sbom/veilleuse-worker.cdx.json
	$(BIN)/cyclonedx-py requirements requirements-benchmark.txt --output-file sbom/veilleuse-benchmark.cdx.json

rehearse: $(VENV)/installed-dev ## deploy, roll back and deploy again under load, as a platform does: make rehearse BACK=HEAD~3
	$(BIN)/python -m benchmark.deploy_drill $(if $(BACK),--back $(BACK))

headline: $(VENV)/installed-dev ## compare with peers, and write the tables and chart of README and docs: make headline REAL_DATA=folder
	benchmark/compare.sh --out docs/standing $(if $(REAL_DATA),--data $(REAL_DATA)/intents-fr.json)
	$(BIN)/python -m benchmark.headline.documents docs/standing

growth: $(VENV)/installed-dev ## measure the web process by datasets, labels, words, columns and trees, for docs/scaling.md
	$(BIN)/python -m benchmark.comparison.growth --out docs/standing --page docs/scaling.md

reference: $(VENV)/installed-dev ## update the tables of settings, commands and routes in README.md and docs/reference.md
	$(BIN)/python -m deploy.reference

translations: $(VENV)/installed-dev ## collect the texts of the pages into the French catalogue, and compile it
	$(BIN)/python -m deploy.translate

clean: ## remove the virtual environment and the local store
	rm -rf $(VENV) veilleuse.db veilleuse.db-wal veilleuse.db-shm veilleuse.db-import-*.lock
