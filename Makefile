# Every verb does its own set-up in .venv from nothing. PYTHON names the interpreter that makes it.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
export PYTHONNOUSERSITE = 1
export TOKENIZERS_PARALLELISM = false
# one thread for each of two test workers
ONE := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

# pytest's tests and notebooks, and how they are shared out: a notebook's cells stay in one worker; the slowest are listed
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --nbval --durations=20

.PHONY: help book test test-full lab lint types notebooks editions slides handouts site clean

# chapters that `make slides` and `make handouts` take
CHAPTERS ?= notebooks/[0-9]*.ipynb

help:
	@echo "make book       install, run a short demonstration and chapter 1, build the site"
	@echo "make test       install, lint, check types, run all tests and compare every notebook's outputs"
	@echo "make test-full  the same, and every chapter from the wheel alone, in both editions, and with plain arithmetic"
	@echo "make lab        open the notebooks in JupyterLab"
	@echo "make lint       ruff, linter and formatter"
	@echo "make types      basedpyright, in basic mode"
	@echo "make notebooks  run all notebooks again and store their outputs"
	@echo "make editions   the students' notebooks, without solutions, and those with solutions, in _build/editions"
	@echo "make slides     slides of every chapter, with its figures, in _build/slides; CHAPTERS=notebooks/04*.ipynb for some"
	@echo "make handouts   chapters as HTML files, with their figures, in _build/handouts; CHAPTERS as for slides"

# pip would compile every file, on one core: what nobody imports is left out, and all cores take part
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[book,dev]'
	@$(BIN)/python -m compileall -qq -j 0 -x '/tests/|/transformers/models/' .venv/lib || true
	@touch $@

book: $(READY)
	$(BIN)/lmem demo --out _build/demo
	$(ONE) $(BIN)/python -m pytest -q --nbval notebooks/01_*.ipynb -p no:cacheprovider
	$(MAKE) site
	@echo "The demonstration's adapter and result: _build/demo"

site: $(READY)
	$(BIN)/jupyter-book build . -W -n --keep-going --path-output _build/site
	@echo
	@echo "The book: open _build/site/_build/html/index.html"

test: lint types
	$(ONE) $(PYTEST) tests notebooks

# another processor is simulated by PyTorch's kernels for one without vector instructions: stored outputs must not change
test-full: lint types
	$(ONE) $(PYTEST) -m 'not network and not gpu' tests notebooks
	$(ONE) ATEN_CPU_CAPABILITY=default $(PYTEST) notebooks

lab: $(READY)
	$(BIN)/jupyter lab notebooks

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/basedpyright --level error --pythonpath $(BIN)/python

notebooks: $(READY)
	$(ONE) $(BIN)/python book/tools/notebooks.py refresh notebooks/*.ipynb

editions: $(READY)
	$(BIN)/python book/tools/editions.py _build/editions notebooks/*.ipynb

slides: $(READY)
	$(BIN)/python book/tools/slides.py _build/slides $(CHAPTERS)

handouts: $(READY)
	$(BIN)/python book/tools/handouts.py _build/handouts $(CHAPTERS)

clean:
	rm -rf _build
