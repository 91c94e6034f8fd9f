# Everything a developer or a machine does with this repository. `make` alone lists it.
#
# What was done is noted beside what it made, so a second run does only what changed.

PYTHON ?= python3
VENV ?= .venv
GO ?= go
NPM ?= npm

# What the tests use beside Python, Node.js and Go.
PACKAGES = bindfs caddy chromium faketime kiwix-tools poppler-utils strace zim-tools
# Not needed, but the browser tests take half as long with it.
QUICKER = chromium-headless-shell

# Tests that are held to times: after the others, one at a time.
ALONE = tests/reliability/test_attack.py tests/reliability/test_idle.py \
	tests/reliability/test_threads_signals.py tests/security/test_hostile_load.py \
	tests/security/test_non_reading_clients.py tests/security/test_crowds.py tests/api/test_api_server.py
NOT_ALONE = $(foreach room,$(ALONE),--ignore=$(room))
# The others wait more than they compute, so there are more than the machine has processors. Pages,
# which compute most, come first, and small files last, so that all end together.
AT_ONCE = -n 4 --dist loadfile --no-loadscope-reorder
ROOMS = tests/browser tests/reliability tests/readers tests
BESIDE = $(AT_ONCE) $(NOT_ALONE) $(ROOMS)
# Full sizes: those that may take longer than ten minutes each are left to `make test-hours`.
FULL = -m "full or not full" --within 600
FULL_ALONE = $(ALONE) tests/browser/test_browser_budget.py tests/security/test_crowds.py \
	tests/reliability/test_attack.py
FULL_NOT_ALONE = $(foreach room,$(FULL_ALONE),--ignore=$(room))
NOT_RUN = build/not-run
PYTEST = $(BIN)/python -m pytest
# Browsers and slow clients are held to deadlines, on machines that others use too: what fails of
# `timed_tests` (pyproject.toml) has one more chance by itself, and is named at the end. What fails
# twice fails, and so does any other test that fails.
ONCE_MORE = --second-chance
SECOND_CHANCES = build/second-chance

# The days on which tests that see the date have failed, or could: names of days, the leap day, the
# last minutes of a year, and the clock changes in Paris, before and within.
DATES = "2026-09-14 10:00" "2026-09-15 10:00" "2026-09-16 10:00" "2026-09-17 10:00" \
	"2026-09-18 10:00" "2026-09-19 10:00" "2026-09-20 10:00" "2028-02-29 12:00" \
	"2026-12-31 23:58" "2027-03-28 01:59" "2027-10-31 02:59"

BIN = $(VENV)/bin
WEB = static
# These exist once the step that makes them has succeeded.
PIP = $(VENV)/.has-pip
DEV = $(VENV)/.has-dev
NODE_MODULES = $(WEB)/node_modules/.complete
DASHBOARD = $(WEB)/dist/index.html
KPI_TYPES = $(WEB)/src/kpis.ts
WEB_SOURCES = $(shell find $(WEB) -type f -not -path '*/node_modules/*' -not -path '*/dist/*' \
	-not -name '*.py' -not -name '*.pyc' 2>/dev/null)

# The Go that is there, not one it would fetch; a binary without paths of this machine, and without
# cgo, so that it runs on any system, musl too.
export GOTOOLCHAIN ?= local
GOFLAGS_OURS = -trimpath -buildvcs=false -ldflags='-s -w'

.DELETE_ON_ERROR:
.DEFAULT_GOAL = help
.PHONY: help run build filebeat filebeat-arm64 static wheel test test-full test-hours test-dates faults faults-full lint lint-python \
	lint-static format bench bench-check profile mutants lock packages clean distclean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---------------------------------------------------------------------- use

run: build ## build, then serve a week of sample logs and print the address
	$(BIN)/python tools/demo.py

build: $(PIP) $(DASHBOARD) ## build dist/offspot-metrics, the program in one file
	$(BIN)/python tools/build_zipapp.py

filebeat: build/filebeat ## build Filebeat OSS from its Go module as build/filebeat

static: $(DASHBOARD) ## build the dashboard into static/dist

wheel: $(DEV) $(DASHBOARD) ## build a wheel into dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

# ---------------------------------------------------------------------- check

test: packages build filebeat lint ## install what tests need, check style and types, run the tests
	cd $(WEB) && $(NPM) test
	@rm -f $(SECOND_CHANCES)
	$(PYTEST) $(BESIDE) || $(PYTEST) $(ONCE_MORE) $(NOT_ALONE)
	$(PYTEST) $(ALONE) || $(PYTEST) $(ONCE_MORE) $(ALONE)
	@if [ -s $(SECOND_CHANCES) ]; then \
		echo "passed only at the second try: $$(wc -l < $(SECOND_CHANCES))"; \
		sed 's/^/  /' $(SECOND_CHANCES); \
	fi

test-dates: packages build $(DEV) ## run the tests that see the date on the worst dates there are
	@set -e; for date in $(DATES); do \
		echo "on $$date in Paris:"; \
		TZ=Europe/Paris faketime --exclude-monotonic "$$date" \
			$(PYTEST) -q -p no:cacheprovider --durations=0 --durations-min=9999 -m dated tests; \
	done

test-full: export TEST_BROWSER = /usr/bin/chromium
test-full: packages build filebeat lint ## the same with full sizes of up to ten minutes, dates and mutants (two hours)
	cd $(WEB) && $(NPM) test
	@rm -f $(SECOND_CHANCES) $(NOT_RUN)
	$(PYTEST) $(FULL) $(AT_ONCE) $(FULL_NOT_ALONE) $(ROOMS) || \
		$(PYTEST) $(FULL) $(ONCE_MORE) $(FULL_NOT_ALONE)
	$(PYTEST) $(FULL) $(FULL_ALONE) || $(PYTEST) $(FULL) $(ONCE_MORE) $(FULL_ALONE)
	$(MAKE) test-dates
	$(MAKE) mutants
	@if [ -s $(SECOND_CHANCES) ]; then \
		echo "passed only at the second try: $$(wc -l < $(SECOND_CHANCES))"; \
		sed 's/^/  /' $(SECOND_CHANCES); \
	fi
	@echo "not run, for its time (make test-hours) or for the reason given:"
	@sed 's/^/  /' $(NOT_RUN)

test-hours: faults-full ## the full sizes of over ten minutes, with their table (three hours)

faults: packages build filebeat $(DEV) ## run the faults and threats, write the table of docs/reliability.md
	$(BIN)/python -m tests.faults

faults-full: packages build filebeat $(DEV) ## the same at full sizes (three hours)
	$(BIN)/python -m tests.faults --full
	$(BIN)/python -m tests.reliability.chaos --lines 1000000 --largest 16777216 --pause 8 --seeds 10

lint: lint-python lint-static ## check style and types only

lint-python: $(DEV)
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --quiet --check
	$(BIN)/mypy --no-error-summary

lint-static: $(NODE_MODULES) $(KPI_TYPES)
	cd $(WEB) && $(NPM) run --silent lint

format: $(DEV) ## write the sources as the formatter likes them
	$(BIN)/ruff check --quiet --fix
	$(BIN)/ruff format --quiet

mutants: build filebeat $(DEV) ## put small mistakes into the code, one by one: a test must find each
	$(BIN)/python tools/mutants.py

bench: packages build filebeat $(DEV) ## measure against the peers and print the table
	-@tools/install_packages.sh goaccess wrk
	$(BIN)/python -m benchmarks

profile: build filebeat $(DEV) ## print where the time goes: live, and at a start
	$(BIN)/python -m benchmarks.profiling

bench-check: packages build filebeat $(DEV) ## measure again, fail when a ratio fell beyond its spread
	-@tools/install_packages.sh goaccess wrk
	$(BIN)/python -m benchmarks --check

# ---------------------------------------------------------------------- make what these need

packages:
	@tools/install_packages.sh $(PACKAGES)
	-@tools/install_packages.sh $(QUICKER)

lock: $(DEV) ## lock the newest allowed versions of the dependencies
	$(BIN)/python tools/lock.py

$(PIP): tools/make_venv.sh
	tools/make_venv.sh $(PYTHON) $(VENV)
	@touch $@

$(DEV): requirements-dev.txt $(PIP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		--only-binary=:all: --requirement requirements-dev.txt
	@touch $@

$(NODE_MODULES): $(WEB)/package.json $(WEB)/package-lock.json
	cd $(WEB) && $(NPM) ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(KPI_TYPES): tools/kpi_types.py $(wildcard engine/kpis/*.py)
	$(PYTHON) tools/kpi_types.py > $@

$(DASHBOARD): $(NODE_MODULES) $(KPI_TYPES) $(WEB_SOURCES)
	cd $(WEB) && $(NPM) run --silent build
	@touch $@

build/filebeat: $(wildcard filebeat/*.go) filebeat/go.mod filebeat/go.sum
	@mkdir -p $(@D)
	cd filebeat && CGO_ENABLED=0 $(GO) build $(GOFLAGS_OURS) -o ../$@ .
	@touch $@

filebeat-arm64: build/filebeat-arm64 ## the same for a Raspberry Pi, as build/filebeat-arm64

build/filebeat-arm64: $(wildcard filebeat/*.go) filebeat/go.mod filebeat/go.sum
	@mkdir -p $(@D)
	cd filebeat && CGO_ENABLED=0 GOOS=linux GOARCH=arm64 $(GO) build $(GOFLAGS_OURS) -o ../$@ .
	@touch $@

# ---------------------------------------------------------------------- unmake

clean: ## remove what was built, keep what was fetched
	rm -rf dist static/dist $(KPI_TYPES) build/mypy build/ruff build/filebeat build/filebeat-arm64
	find . -name __pycache__ -not -path './.venv/*' -not -path '*/node_modules/*' -prune -exec rm -rf {} +

distclean: clean ## remove all that is not in version control
	rm -rf build $(VENV) static/node_modules .pytest_cache .hypothesis
