# greenlane from a clone. Needs Python 3.11 or newer, git and make; everything goes into .venv here.
#
# NAME, DEST, PRESET, PORT and SERVE are options of `make start`; PYTHON names another interpreter.

PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/installed
TESTABLE := $(VENV)/testable

# As pip does: a company's proxy is in the system's certificates, not in those that uv carries.
export UV_SYSTEM_CERTS ?= true

# Beside the clone, unless DEST says otherwise; never into it.
START = exec $(VENV)/bin/greenlane start $(NAME) $(if $(DEST),--dest "$(DEST)",--in ..) \
	$(if $(PRESET),--preset $(PRESET)) $(if $(PORT),--port $(PORT)) \
	$(if $(filter 0 no off false,$(SERVE)),--no-serve)

.PHONY: help start test weekly clean

help:
	@echo "make start    from nothing to a running application with green gates, beside this folder"
	@echo "                make start NAME=my-shop       another name than my-app"
	@echo "                make start DEST=/path SERVE=0 elsewhere, and stop after the gates"
	@echo "                also: PRESET=team, PORT=8080, PYTHON=python3.12"
	@echo "make test     greenlane's own fast tests"
	@echo "make weekly   what takes too long for every change: every place with every CI, thousands of updates"
	@echo "make clean    remove .venv"

start: $(INSTALLED)
	@$(START)

test: $(TESTABLE)
	@$(VENV)/bin/python -m pytest -q -m "not slow"

weekly: $(TESTABLE)
	@$(VENV)/bin/python -m pytest -v -m weekly -n 2 --dist worksteal

$(INSTALLED): pyproject.toml
	@command -v "$(PYTHON)" >/dev/null || { \
		echo "error: $(PYTHON) was not found; greenlane needs Python 3.11 or newer." >&2; \
		echo "hint: install it, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 2; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: greenlane needs Python 3.11 or newer; $(PYTHON) is $$("$(PYTHON)" --version 2>&1)." >&2; \
		echo "hint: name a newer one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	@echo "Installing greenlane into $(VENV), once ..."
	@"$(PYTHON)" -m venv --clear $(VENV) || { \
		echo "error: the virtual environment $(VENV) could not be made." >&2; \
		echo "hint: on Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }
	@$(VENV)/bin/python -m pip install -qq --disable-pip-version-check --editable . || { \
		echo "error: greenlane could not be installed; the reason stands above." >&2; \
		echo "hint: without a network it cannot be; otherwise try again after: make clean" >&2; exit 2; }
	@touch $@

$(TESTABLE): $(INSTALLED)
	@echo "Installing what the tests need into $(VENV), once ..."
	@$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --editable '.[fleet,templates]' --group dev
	@touch $@

clean:
	@rm -rf $(VENV)
