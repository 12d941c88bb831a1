.DEFAULT_GOAL := help
.PHONY: help install run test test-long torture mlflow-server audit sbom evidence bench lint format lock schemas settings image clean

PYTHON ?= python3
BIN := .venv/bin
UV_VERSION := 0.13.9
PIP_AUDIT_VERSION := 2.10.1
CYCLONEDX_VERSION := 7.5.0
TARGET ?= cpu

help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/installed ## Set up .venv from the locked requirements

# Downloads are verified against the hashes in the lock file; a changed lock file triggers a new set-up.
# Bytecode is compiled now: where Python may not write it later, every stage would compile TensorFlow anew.
.venv/installed: docker/requirements-dev.txt pyproject.toml Makefile
	@echo "Setting up .venv, once"
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 13) else "evenface needs Python 3.11 or 3.12: make PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --require-hashes -r docker/requirements-dev.txt
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-deps --editable .
	@$(BIN)/python -m compileall -qq -j 0 .venv/lib components pipeline || true
	@touch $@

run: install ## Run the whole pipeline on synthetic faces and write runs/demo/report.html
	@$(BIN)/evenface run --preset demo

test: install lint ## Lint, check types and run the tests (ARGS="-k predict": those tests)
	$(BIN)/python -m pytest $(ARGS)

evidence: install ## Prove the statistics by simulation: coverage of every interval (minutes; see tests/evidence for the A/A test)
	$(BIN)/python -m tests.evidence.coverage --per-cell 10 --seeds 3
	$(BIN)/python -m tests.evidence.coverage --per-cell 3 --seeds 3

test-long: install ## Run the tests that take minutes each
	$(BIN)/python -m pytest -m long

torture: install ## Kill a run in every stage, race promoters, then fuzz with 100,000 hostile cases (half an hour)
	$(BIN)/python -m tests.torture.kills
	EVENFACE_RACES=50 $(BIN)/python -m pytest -m "long or not long" tests/components/registries/test_race.py
	$(BIN)/python -m tests.torture.fuzz

mlflow-server: .venv/mlflow-server/bin/mlflow ## Set up a real MLflow server for the tests that talk to one

# An environment of its own: the server does not resolve with the pipeline's pandas and pyarrow.
.venv/mlflow-server/bin/mlflow: .venv/installed
	$(PYTHON) -m venv .venv/mlflow-server
	VIRTUAL_ENV=.venv/mlflow-server $(BIN)/uv pip install --quiet 'mlflow>=3.17,<4'
	touch $@

bench: install ## Measure speed and memory, two ways in turn (ROWS="warm_epoch draw": those rows; SOURCE=DIR: real faces)
	$(BIN)/python -m tests.benchmarks $(ROWS) $(if $(SOURCE),--source $(SOURCE))

lint: install ## Check style, types and the direction of imports
	$(BIN)/lint-imports --no-logo
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install ## Format the code and fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: install ## Resolve the dependencies again into docker/requirements-*.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra cpu --extra mlflow pyproject.toml --output-file docker/requirements-cpu.txt
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra gpu --extra mlflow pyproject.toml --output-file docker/requirements-gpu.txt
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra cpu --extra dev --extra mlflow pyproject.toml --output-file docker/requirements-dev.txt

schemas: install ## Rewrite the published JSON Schemas
	$(BIN)/python -c 'from components.compare.contract import Comparison; from components.files import write_json; write_json("components/compare/comparison.schema.json", Comparison.model_json_schema())'
	$(BIN)/python -c 'from components.training.record import TrainingRecord; from components.files import write_json; write_json("components/training/variant.schema.json", TrainingRecord.model_json_schema())'
	$(BIN)/python -c 'from components.recommend.contract import RecommendedModel; from components.files import write_json; write_json("components/recommend/recommended.schema.json", RecommendedModel.model_json_schema())'
	$(BIN)/python -c 'from components.registries.contract import PromotionRecord; from components.files import write_json; write_json("components/registries/promotion.schema.json", PromotionRecord.model_json_schema())'

settings: install ## Rewrite docs/settings.md
	$(BIN)/python -c 'from pathlib import Path; from pipeline.settings_reference import settings_page; Path("docs/settings.md").write_text(settings_page(), encoding="utf-8")'

image: ## Build the container image evenface:cpu (TARGET=gpu: with CUDA)
	docker/base-image.sh
	docker/build.sh $(TARGET) --network host

# Tools with dependencies of their own, away from what they look at.
build/tools/installed: Makefile
	test -x build/tools/bin/python || $(PYTHON) -m venv build/tools
	build/tools/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==$(PIP_AUDIT_VERSION) cyclonedx-bom==$(CYCLONEDX_VERSION)
	touch $@

audit: build/tools/installed ## Look for known vulnerabilities in the image's packages (TARGET=gpu: of the other image)
	docker/audit.py build/tools/bin/pip-audit $(TARGET)

sbom: build/tools/installed ## Write build/sbom-cpu.json: the image's packages and their hashes, as CycloneDX
	build/tools/bin/python -W ignore -m cyclonedx_py requirements docker/requirements-$(TARGET).txt --pyproject pyproject.toml --output-reproducible --validate --output-format JSON --output-file build/sbom-$(TARGET).json

clean: ## Remove .venv and what runs and tools left behind
	rm -rf .venv runs build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
