# Everything runs in one virtual environment, pinned by constraints.txt.
PYTHON ?= python3.11
BIN := .venv/bin
# uv installs in seconds; where only pip reaches your index: make INSTALL=".venv/bin/pip install"
INSTALL ?= $(BIN)/uv pip install --quiet --python $(BIN)/python

.PHONY: demo test test-frameworks e2e up down fuzz stress check coverage docs bench clean

demo: .venv/ready
	$(BIN)/python -m model_lifecycle.dags.flights.demo

test: .venv/ready check
	$(BIN)/python -m pytest

# The real stack without containers: PostgreSQL, S3, MLflow, Airflow, the API. Data stay in .stack/.
# Other ports: make up PORTS="airflow=8081 mlflow=5001".
up: .venv/ready
	$(BIN)/python -m model_lifecycle.stack up $(PORTS:%=--port %)

down: .venv/ready
	$(BIN)/python -m model_lifecycle.stack down

# scikit-learn, PyTorch, TensorFlow and ONNX in an environment of their own: about 3 GB, and what
# tests of one framework need is skipped where it is absent.
test-frameworks: .venv-frameworks/ready
	.venv-frameworks/bin/python -m pytest tests/registry/frameworks tests/dags/digits/test_digits.py

# Airflow's own processes on the whole stack; about ten minutes. E2E=tests/e2e/test_promotion.py
# is the quick half.
E2E ?= tests/e2e
e2e: .venv/ready
	$(BIN)/python -m pytest -m e2e $(E2E)

# The API against its own description, with many more cases than in `make test`, and new cases of
# every other property.
PROPERTIES = $(shell grep -rl "^from hypothesis import given" tests)
fuzz: .venv/ready
	MODEL_LIFECYCLE_FUZZ_CASES=$(or $(CASES),200) $(BIN)/python -m pytest -s --timeout=3600 \
	  --hypothesis-profile=explore tests/api/test_contract.py
	$(BIN)/python -m pytest --hypothesis-profile=explore $(PROPERTIES)

# Kills, faults and races by the thousand; its figures go into the documentation.
stress: RUN := STRESS_FIGURES="$(CURDIR)/.venv/stress.jsonl" $(BIN)/python -m pytest
stress: STRESSED := tests/stress/crash tests/stress/faults tests/stress/scale
stress: .venv/ready
	rm -f .venv/stress.jsonl
	$(RUN) -m "stress or not stress" $(STRESSED)
	$(RUN) -m stress $(STRESSED:%=--ignore=%)
	$(BIN)/python tests/stress/crash/figures.py .venv/stress.jsonl docs/operations/reliability-figures.md

# The benchmarks import one another, and servers of the tests, by the folders' own names.
CODE := registry gates api cli operators dags plugin stack benchmarks docs tests
check: .venv/ready
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	cd .venv/house && MYPYPATH=model_lifecycle/benchmarks:model_lifecycle/tests \
	  ../bin/mypy --config-file ../../pyproject.toml --explicit-package-bases \
	  $(CODE:%=model_lifecycle/%)
	$(BIN)/lint-imports --config setup.cfg

# Lines and branches that the tests run in this process, of everything but `stack` and `dags`, which
# tests run in processes of their own. Slower than `make test`, so CI does not run it at each commit.
# A part of it: make coverage COVER=tests/gates (without the floor: FLOOR=0).
COVER ?= tests/api tests/cli tests/gates tests/operators tests/plugin tests/registry
FLOOR ?= $(shell sed -n 's/^fail_under = //p' pyproject.toml)
coverage: .venv/ready
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered --cov-fail-under=$(FLOOR) $(COVER)

# The documentation as a site, in .venv/site; warnings are errors. The themes of mkdocs advertise
# their successors on each build unless the two variables are set.
PACKAGE := __init__.py registry gates api cli operators dags plugin
docs: .venv/ready
	rm -rf .venv/docs && mkdir -p .venv/docs/model_lifecycle
	ln -s $(PACKAGE:%="$(CURDIR)/%") .venv/docs/model_lifecycle
	NO_MKDOCS_2_WARNING=1 DISABLE_MKDOCS_2_WARNING=true $(BIN)/mkdocs build --quiet

bench: .venv/ready
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

# What `make test` needs by uv, and the frameworks by pip: torch's default build is several GB, and
# pip takes the CPU build where the index or PIP_FIND_LINKS offers one.
.venv-frameworks/ready: BIN := .venv-frameworks/bin
.venv-frameworks/ready: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-frameworks
	$(BIN)/pip install --quiet uv==0.13.9
	$(INSTALL) --constraint constraints.txt --editable ".[api,postgres,s3,test]"
	$(BIN)/pip install --quiet --constraint constraints.txt \
	  --editable ".[pytorch,tensorflow,onnx]"
	touch $@

# The repository is the package, so mypy sees it through a folder that gives it its name.
.venv/ready: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet uv==0.13.9
	$(INSTALL) --constraint constraints.txt --editable ".[amazon,api,celery,check,demo,docs,postgres,s3,signing,stack,test]"
	mkdir -p .venv/house && ln -sfn "$(CURDIR)" .venv/house/model_lifecycle
	touch $@

clean:
	rm -rf .venv .venv-frameworks .model-lifecycle .demo
