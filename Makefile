# The only commands a person needs. `make` alone lists them.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
export NO_MKDOCS_2_WARNING = 1

.DEFAULT_GOAL := help
.PHONY: help serve build test check notebooks notebooks-check ids search-report clean

help: ## list these commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

serve: $(VENV)/.site ## build the site and serve it on http://127.0.0.1:8000 with live reload
	$(RUN) -m mkdocs serve --strict --dev-addr 127.0.0.1:8000

build: $(VENV)/.site ## build the site into site/, strictly
	$(RUN) -m mkdocs build --strict

check: $(VENV)/.site ## check all content: claims, numbers, notebooks, links, ids; no build, no execution
	$(RUN) scripts/check.py

notebooks: $(VENV)/.notebooks ## execute the notebooks whose code changed, two at a time
	$(RUN) scripts/execute.py

notebooks-check: $(VENV)/.notebooks ## execute all notebooks afresh and compare; writes nothing
	$(RUN) scripts/execute.py --check

ids: $(VENV)/.site ## append the ids of new questions to docs/published-ids.txt
	$(RUN) scripts/ids.py

test: $(VENV)/.tests $(VENV)/.notebooks ## everything that CI runs: content, notebooks, the built site in Chromium
	$(RUN) scripts/chromium.py
	$(RUN) scripts/check.py
	$(RUN) scripts/execute.py --check
	$(RUN) -m mkdocs build --strict
	$(RUN) -m pytest

search-report: $(VENV)/.tests ## measure the built site's search on tests/queries.yaml; say ARGS=--misses or ARGS="--copies 10"
	$(RUN) scripts/search_report.py $(ARGS)

clean: ## remove what the commands made: the environment, the site, caches
	rm -rf $(VENV) site .cache build scripts/*.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +

# ---- environments: installed when a list of requirements is newer than the last install ----

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is not. Say: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "No virtual environment: on Debian or Ubuntu install the package python3-venv." >&2; rm -rf $(VENV); exit 1; }

$(VENV)/.site: requirements.txt pyproject.toml | $(VENV)/bin/python
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.notebooks: notebooks/requirements.txt $(VENV)/.site
	@# First by itself: with this build present, no other package asks for one with CUDA libraries.
	$(RUN) -m pip install --quiet --disable-pip-version-check $$(grep '^torch==' notebooks/requirements.txt)
	$(RUN) -m pip install --quiet --disable-pip-version-check -r notebooks/requirements.txt
	@touch $@

$(VENV)/.tests: tests/requirements.txt $(VENV)/.site
	$(RUN) -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	@touch $@
