# Everything that a developer or CI does with this repository; `make` lists the targets.
#
# A stamp file is written next to each result, so a second run does only what has changed.

PYTHON ?= python3
VENV ?= .venv
GO ?= go
NPM ?= npm

# What the tests need besides Python, Node.js and Go.
PACKAGES = bindfs caddy chromium faketime fish groff kiwix-tools man-db mandoc poppler-utils strace \
	zim-tools zsh
# What images are made with, and their tests run them with.
IMAGE_PACKAGES = buildah crun iproute2 mmdebstrap qemu-user-static
# What only the full-size tests need.
FULL_PACKAGES = lintian mmdebstrap libreoffice-calc-nogui
# What builds Debian packages.
DEB_PACKAGES = debhelper dh-python
# Optional: the browser tests take half as long with it.
QUICKER = chromium-headless-shell

# Tests with deadlines: they run after the others, three at a time; each has little to compute.
ALONE = tests/reliability/test_attack.py tests/reliability/test_idle.py \
	tests/reliability/test_threads_signals.py tests/security/test_hostile_load.py \
	tests/security/test_non_reading_clients.py tests/security/test_crowds.py tests/api/test_api_server.py
NOT_ALONE = $(foreach path,$(ALONE),--ignore=$(path))
# The others wait more than they compute, so there are more workers than processors. The browser
# tests, which compute most, start first and small files last, so that all workers end together.
AT_ONCE = -n 5 --dist loadfile --no-loadscope-reorder
TEST_PATHS = tests/browser tests/reliability tests/readers tests/verdict tests/security tests
PARALLEL = $(AT_ONCE) $(NOT_ALONE) $(TEST_PATHS)
# Full sizes; tests that may take longer than ten minutes each are left to `make test-hours`.
FULL = -m "full or not full" --within 600
FULL_ALONE = $(ALONE) tests/browser/test_browser_budget.py tests/security/test_crowds.py \
	tests/reliability/test_attack.py
FULL_NOT_ALONE = $(foreach path,$(FULL_ALONE),--ignore=$(path))
NOT_RUN = build/not-run
PYTEST = $(BIN)/python -m pytest
# Browsers and slow clients have deadlines, and the machine may be busy: a failed test of
# `timed_tests` (pyproject.toml) is run once more by itself, and is listed at the end. If it fails
# again it has failed; any other test fails at the first failure.
ONCE_MORE = --second-chance
SECOND_CHANCES = build/second-chance

# They need no build, and each of them little more than one processor.
CHECKS = --jobs=3 --output-sync lint-python lint-static test-static

# Dates on which date-dependent tests have failed or could fail: every weekday, a leap day, the
# last minutes of a year, and before and during the clock changes in Paris.
DATES = "2026-09-14 10:00" "2026-09-15 10:00" "2026-09-16 10:00" "2026-09-17 10:00" \
	"2026-09-18 10:00" "2026-09-19 10:00" "2026-09-20 10:00" "2028-02-29 12:00" \
	"2026-12-31 23:58" "2027-03-28 01:59" "2027-10-31 02:59"

BIN = $(VENV)/bin
WEB = static
# These files exist once the step that makes them has succeeded.
PIP = $(VENV)/.has-pip
DEV = $(VENV)/.has-dev
NODE_MODULES = $(WEB)/node_modules/.complete
DASHBOARD = $(WEB)/dist/index.html
KPI_TYPES = $(WEB)/src/kpis.ts
WEB_SOURCES = $(shell find $(WEB) -type f -not -path '*/node_modules/*' -not -path '*/dist/*' \
	-not -name '*.py' -not -name '*.pyc' 2>/dev/null)

# Compiled Python is written, whatever the environment says: without it each process of the tests
# compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

# Use the installed Go instead of downloading one. The binary contains no local paths and uses no
# cgo, so that it runs on any system, including musl.
export GOTOOLCHAIN ?= local
GOFLAGS_OURS = -trimpath -buildvcs=false -ldflags='-s -w'

.DELETE_ON_ERROR:
.DEFAULT_GOAL = help
.PHONY: help run build man filebeat filebeat-arm64 image static wheel deb test test-full test-hours test-dates faults faults-full lint lint-python \
	lint-static test-static format bench bench-check profile mutants lock packages clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---------------------------------------------------------------------- use

run: build ## build, then serve a week of recorded school logs and print the address
	$(BIN)/python dist/offspot-metrics demo --packages samples/packages.yml samples/week/*.json.gz

build: $(PIP) $(DASHBOARD) ## build dist/offspot-metrics, the program in one file
	$(BIN)/python tools/build_zipapp.py

filebeat: build/filebeat ## build Filebeat OSS from its Go module as build/filebeat

static: $(DASHBOARD) ## build the dashboard into static/dist

man: $(PIP) ## write the man page and the completions for shells into build/
	$(BIN)/python tools/make_man.py

wheel: $(DEV) $(DASHBOARD) ## build a wheel into dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

# The image of which processor, and whether Filebeat is in it.
ARCH ?= arm64
FILEBEAT ?= 1
FILEBEAT_OF_ARCH = $(if $(filter 1,$(FILEBEAT)),build/filebeat$(if $(filter arm64,$(ARCH)),-arm64))

image: build $(FILEBEAT_OF_ARCH) ## build the container image into dist/ (ARCH=amd64|arm64, FILEBEAT=1|0)
	@tools/install_packages.sh $(IMAGE_PACKAGES)
	PYTHON=$(BIN)/python container/build_image.sh $(ARCH) $(FILEBEAT_OF_ARCH)

deb: build build/filebeat-amd64 build/filebeat-arm64 ## build the Debian packages into dist/
	@tools/install_packages.sh $(DEB_PACKAGES)
	$(BIN)/python tools/build_deb.py

# ---------------------------------------------------------------------- check

test: packages build filebeat ## install test dependencies, check style and types, run the tests
	$(MAKE) $(CHECKS)
	@rm -f $(SECOND_CHANCES)
	$(PYTEST) $(PARALLEL) || $(PYTEST) $(ONCE_MORE) $(NOT_ALONE)
	$(PYTEST) -n 3 --dist loadfile $(ALONE) || $(PYTEST) $(ONCE_MORE) $(ALONE)
	@if [ -s $(SECOND_CHANCES) ]; then \
		echo "passed only on the second attempt: $$(wc -l < $(SECOND_CHANCES))"; \
		sed 's/^/  /' $(SECOND_CHANCES); \
	fi

test-dates: packages build $(DEV) ## run the date-dependent tests on the worst dates
	@set -e; for date in $(DATES); do \
		echo "on $$date in Paris:"; \
		TZ=Europe/Paris FAKETIME_FORCE_MONOTONIC_FIX=0 faketime --exclude-monotonic "$$date" \
			$(PYTEST) -q -p no:cacheprovider --durations=0 --durations-min=9999 -m dated tests; \
	done

test-full: export TEST_BROWSER = /usr/bin/chromium
test-full: packages build filebeat build/filebeat-amd64 build/filebeat-arm64 ## like test, with full sizes of up to ten minutes, dates and mutants (two hours)
	@tools/install_packages.sh $(IMAGE_PACKAGES) $(FULL_PACKAGES)
	$(BIN)/python -m tests.install.roots
	$(MAKE) $(CHECKS)
	@rm -f $(SECOND_CHANCES) $(NOT_RUN)
	$(PYTEST) $(FULL) $(AT_ONCE) $(FULL_NOT_ALONE) $(TEST_PATHS) || \
		$(PYTEST) $(FULL) $(ONCE_MORE) $(FULL_NOT_ALONE)
	$(PYTEST) $(FULL) $(FULL_ALONE) || $(PYTEST) $(FULL) $(ONCE_MORE) $(FULL_ALONE)
	$(MAKE) test-dates
	$(MAKE) mutants
	@if [ -s $(SECOND_CHANCES) ]; then \
		echo "passed only on the second attempt: $$(wc -l < $(SECOND_CHANCES))"; \
		sed 's/^/  /' $(SECOND_CHANCES); \
	fi
	@echo "not run: too long (make test-hours), or for the reason given:"
	@sed 's/^/  /' $(NOT_RUN)

test-hours: faults-full ## run the full sizes of over ten minutes, and update their table (three hours)

faults: packages build filebeat $(DEV) ## run the tests of faults and threats, and update the table of docs/reliability.md
	$(BIN)/python -m tests.faults

faults-full: packages build filebeat $(DEV) ## the same at full sizes (three hours)
	$(BIN)/python -m tests.faults --full
	$(BIN)/python -m tests.reliability.chaos --lines 1000000 --largest 16777216 --pause 8 --seeds 10

lint: lint-python lint-static ## check style and types

lint-python: $(DEV)
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --quiet --check
	$(BIN)/mypy --no-error-summary

lint-static: $(NODE_MODULES) $(KPI_TYPES)
	cd $(WEB) && $(NPM) run --silent lint

test-static: $(NODE_MODULES) $(KPI_TYPES)
	cd $(WEB) && $(NPM) test

format: $(DEV) ## format the sources
	$(BIN)/ruff check --quiet --fix
	$(BIN)/ruff format --quiet

mutants: build filebeat $(DEV) ## put small mistakes into the code one by one; a test must find each (an hour)
	$(BIN)/python tools/mutants.py

bench: packages build filebeat $(DEV) ## compare with other programs and print the table
	-@tools/install_packages.sh goaccess wrk
	$(BIN)/python -m benchmarks

profile: build filebeat $(DEV) ## profile live reading and startup
	$(BIN)/python -m benchmarks.profiling

bench-check: packages build filebeat $(DEV) ## measure again, and fail if a ratio fell beyond its spread
	-@tools/install_packages.sh goaccess wrk
	$(BIN)/python -m benchmarks --check

# ---------------------------------------------------------------------- dependencies

packages:
	@tools/install_packages.sh $(PACKAGES) $(DEB_PACKAGES)
	-@tools/install_packages.sh $(QUICKER)

lock: $(DEV) ## lock the newest allowed versions of all dependencies
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

$(KPI_TYPES): tools/kpi_types.py engine/api/openapi.yaml $(wildcard engine/kpis/*.py)
	$(PYTHON) tools/kpi_types.py > $@

$(DASHBOARD): $(NODE_MODULES) $(KPI_TYPES) $(WEB_SOURCES)
	cd $(WEB) && $(NPM) run --silent build
	@touch $@

FILEBEAT_SOURCES = $(wildcard filebeat/*.go) filebeat/go.mod filebeat/go.sum

build/filebeat: $(FILEBEAT_SOURCES)
	@mkdir -p $(@D)
	cd filebeat && CGO_ENABLED=0 $(GO) build $(GOFLAGS_OURS) -o ../$@ .
	@touch $@

filebeat-arm64: build/filebeat-arm64 ## build Filebeat for a Raspberry Pi, as build/filebeat-arm64

build/filebeat-%: $(FILEBEAT_SOURCES)
	@mkdir -p $(@D)
	cd filebeat && CGO_ENABLED=0 GOOS=linux GOARCH=$* $(GO) build $(GOFLAGS_OURS) -o ../$@ .
	@touch $@

# ---------------------------------------------------------------------- clean

clean: ## remove what was built, keep what was downloaded
	rm -rf dist static/dist $(KPI_TYPES) build/mypy build/ruff build/filebeat build/filebeat-* \
		build/man build/completions
	find . -name __pycache__ -not -path './.venv/*' -not -path '*/node_modules/*' -prune -exec rm -rf {} +

distclean: clean ## remove all that is not in version control
	rm -rf build $(VENV) static/node_modules .pytest_cache .hypothesis
