# make help says what there is; each target installs what it needs first.
# POSIX make and sh; on Windows use the commands of the README.

# PYTHON chooses the interpreter of a new .venv (make clean first to change it), ARGS are passed on.
PYTHON ?=
ARGS ?=

VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed

# Tried in this order unless PYTHON is given. A name on the path may be a shim that cannot run,
# or a Python without venv: only one that answers is taken.
CANDIDATES := $(if $(PYTHON),"$(PYTHON)",python3 python3.13 python3.12 python3.11 python3.10 python)
PROBE := import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))

.PHONY: help demo test lint types package clean
.DEFAULT_GOAL := help

help: ## say what there is
	@sed -n 's/^\([a-z]*\):.*## /  make \1|/p' $(MAKEFILE_LIST) | \
	  awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

demo: $(STAMP) ## the whole loop with a simulated clinician (ARGS="--no-serve" ends by itself)
	$(PY) -m activeseg demo $(ARGS)

test: $(STAMP) ## every test (ARGS="-k floors" picks some)
	OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist loadfile $(ARGS)

lint: $(STAMP) ## ruff: errors, style and layout
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: $(STAMP) ## mypy in strict mode
	$(PY) -m mypy

package: $(STAMP) ## wheel and source archive in dist/
	rm -rf dist
	$(PY) -m build --no-isolation

clean: ## remove what was made, the environment included
	rm -rf $(VENV) dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# hatchling goes in first, so that the build of the package itself uses the pinned one.
$(STAMP): pyproject.toml constraints.txt
	@set -e; rm -f $@; \
	if ! $(PY) -c '$(PROBE)' 2>/dev/null; then \
	  for name in $(CANDIDATES); do \
	    if "$$name" -c '$(PROBE)' >/dev/null 2>&1; then found=$$name; break; fi; \
	  done; \
	  if [ -z "$${found:-}" ]; then \
	    echo 'No usable Python: tried' $(CANDIDATES)', need 3.10 to 3.13 with venv; install one' \
	      'or run make PYTHON=/path/to/python3' >&2; \
	    exit 1; \
	  fi; \
	  echo "Creating $(VENV) with $$("$$found" --version)"; \
	  "$$found" -m venv --clear $(VENV); \
	fi; \
	$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt hatchling; \
	echo 'Installing ActiveSeg and what it needs (torch is large: minutes, once)'; \
	$(PY) -m pip install --quiet --disable-pip-version-check --no-build-isolation \
	  -c constraints.txt -e '.[test]'; \
	touch $@
