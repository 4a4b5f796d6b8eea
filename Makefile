# Every command makes its own .venv from the lock where there is none.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STUDIES := $(filter-out %.advice.toml %.signoff.toml %.replies.toml,$(wildcard notebooks/studies/*.toml))
JOBS ?= 2
STRIP := nbstripout --keep-id --extra-keys "metadata.papermill cell.metadata.papermill metadata.language_info"

.PHONY: help setup briefs test test-slow check format lab lock data-readme ci-full crates verify bench bench-models clean

help:
	@echo "make briefs   run every study and write the briefs and the portal"
	@echo "make test     run the tests"
	@echo "make lab      open JupyterLab on the notebooks"
	@echo "make check    style, types, import contracts, stripped notebooks"
	@echo "make ci-full  everything, the slow gates as well"

setup: $(VENV)/.installed

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python: $$($(PYTHON) --version) was found; 3.11 or newer is needed. Say make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "Python has no venv module. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

briefs: setup
	$(BIN)/evidence run --jobs $(JOBS) $(STUDIES)
	$(BIN)/evidence brief --jobs $(JOBS) $(STUDIES)

test: setup
	$(BIN)/python -m pytest -m "not slow" -n $(JOBS) --dist loadfile --no-loadscope-reorder
	JUPYTER_DEFAULT_PROVISIONER_NAME=evidence-warm $(BIN)/python -m pytest --nbval-lax --nbval-current-env --nbval-cell-timeout=300 -n $(JOBS) --dist loadfile notebooks

verify: setup
	$(BIN)/evidence verify --jobs $(JOBS) $(STUDIES)

test-slow: setup
	$(BIN)/python -m pytest -m slow -s

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/$(STRIP) --verify notebooks/*.ipynb

format: setup
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/$(STRIP) notebooks/*.ipynb

lab: setup
	cd notebooks && ../$(BIN)/jupyter lab

data-readme: setup
	$(BIN)/python -c 'from pathlib import Path; from evidence.sources import describe_records; Path("data/README.md").write_text(describe_records(Path.cwd()), "utf-8")'

ci-full: check test test-slow briefs crates verify

bench: setup
	$(BIN)/python benchmarks/reading.py
	$(BIN)/python benchmarks/streaming.py
	$(BIN)/python benchmarks/briefs.py

# Needs pyfixest, numba and wildboottest, which nothing else here needs: an environment of its own.
bench-models: setup
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	PYTHONPATH=src .venv-bench/bin/python benchmarks/models.py

# Writes the replication kits and holds them to their profile, without the network.
crates: setup .venv-crate/.installed
	$(BIN)/evidence kit $(STUDIES)
	.venv-crate/bin/python tests/crate/validate.py reports/internal/*/kit-*.zip

# The validator needs another rich than import-linter: an environment of its own.
.venv-crate/.installed: tests/crate/requirements.lock
	$(PYTHON) -m venv .venv-crate
	.venv-crate/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# Needs uv. Writes no address of an index into the lock.
lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --quiet --output-file requirements.lock
	uv pip compile tests/crate/requirements.in --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --quiet --output-file tests/crate/requirements.lock

# Keeps archives and registers: what lies in data/raw/ may exist nowhere else.
clean:
	rm -rf $(VENV) .venv-crate reports data/raw/*/seed-*
