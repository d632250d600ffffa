# Two commands do everything: `make run` and `make test`. Both make .venv first.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: run test test-slow test-templates test-explore check install format bench bench-pages screenshots clean

run: install ## migrate, ingest the reference catalog, serve on http://127.0.0.1:7007
	$(BIN)/portal serve

test: install check ## linters, types, floors, the tests on SQLite and PostgreSQL
	$(BIN)/python -m pytest -n auto -m "not slow and not templates" --hypothesis-profile=ci $(PYTEST_ARGS)

test-slow: install ## databases of every schema, fleets, attacks on real servers, each page in a browser, schemathesis, prism: minutes more
	$(BIN)/python -m pytest -n auto -m slow --hypothesis-profile=ci $(PYTEST_ARGS)

test-templates: install ## what each template makes, installed into an environment of its own and tested: minutes more
	$(BIN)/python -m pytest -n auto -m templates tests/templates $(PYTEST_ARGS)

test-explore: install ## property tests with examples that nobody has tried yet
	$(BIN)/python -m pytest -n auto -m "hypothesis and not slow" $(PYTEST_ARGS)

check: install ## linters, types, floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports

format: install ## bring the code to its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install ## print rates and ratios; never part of the tests
	$(BIN)/python benchmarks/ingest.py
	$(BIN)/python benchmarks/reads.py
	$(BIN)/python benchmarks/ownership.py

bench-pages: install ## print how long pages take, what they weigh, when Chromium paints them
	$(BIN)/python benchmarks/pages.py

screenshots: install ## take docs/ui/*.webp of every page, light, dark, on a phone
	$(BIN)/python docs/ui/take.py

install: $(STAMP)

$(STAMP): pyproject.toml hatch_build.py $(wildcard frontend/*/* frontend/*/*/*) $(wildcard portal/web/translations/*/LC_MESSAGES/*.po)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[postgres]' --group dev
	touch $@

clean:
	rm -rf .venv .portal portal/scaffolder/engine.js portal/actions/jsonata.js portal/web/static/built
