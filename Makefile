# Everything runs in virtual environments beside this file; nothing is installed elsewhere.
# `make help` lists the targets. Steps that are done are remembered by stamp files in .venv*/.

PYTHON ?= python3
PYTEST_ARGS ?=

VENV := .venv
VENV_TRAIN := .venv-train
VENV_LINT := .venv-lint
READY := $(VENV)/.base $(VENV)/.msgs
PIP := bin/python -m pip --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-train lint format bench results reference clean check-system check-python

# The flag with which a Python of another environment of ROS wheels marks its child processes;
# with it, ours would not look for its own libraries.
unexport _ROS_WHEELS_BOOTSTRAP_COMPLETE

# A sourced ROS installation and the ROS wheels in .venv must not meet: their libraries have the
# same names and are not the same.
ifdef ROS_DISTRO
$(info ROS $(ROS_DISTRO) is sourced in this shell: make ignores it and uses the wheels in $(VENV).)
$(info To build for your ROS installation, use colcon as the README describes.)
unexport ROS_DISTRO ROS_VERSION ROS_PYTHON_VERSION RMW_IMPLEMENTATION
unexport PYTHONPATH LD_LIBRARY_PATH AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH
endif

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv: ROS wheels, this package, its messages

demo: $(READY) ## run the node on a bag it makes itself, over DDS, and show the results
	$(VENV)/bin/coarse-loftr demo

test: $(VENV)/.test ## run every test that needs no PyTorch
	$(VENV)/bin/python -m pytest $(PYTEST_ARGS)

test-train: $(VENV_TRAIN)/.test ## run the tests of network and training (installs PyTorch)
	$(VENV_TRAIN)/bin/python -m pytest $(PYTEST_ARGS) test/lab/network test/lab/training

lint: $(VENV_LINT)/.ruff ## check style, formatting, and which package imports which
	$(VENV_LINT)/bin/ruff check .
	$(VENV_LINT)/bin/ruff format --check .
	PYTHONPATH=.:lab $(VENV_LINT)/bin/lint-imports --no-logo

format: $(VENV_LINT)/.ruff ## format the code and repair what ruff can
	$(VENV_LINT)/bin/ruff check --fix .
	$(VENV_LINT)/bin/ruff format .

bench: $(READY) ## measure time per stage beside the baselines
	$(VENV)/bin/coarse-loftr benchmark $(if $(wildcard ../shared/weights),--weights ../shared/weights)

results: $(READY) ## make the tables of README.md and docs/results.md anew from docs/results/*.json
	$(VENV)/bin/coarse-loftr results tables

reference: $(READY) ## make the tables of docs/reference/*.md anew from parameters, messages and parsers
	$(VENV)/bin/python scripts/make_reference.py

clean: ## remove the environments and everything built
	rm -rf $(VENV) $(VENV_TRAIN) $(VENV_LINT) build install log dist *.egg-info
	rm -rf .pytest_cache .ruff_cache .hypothesis

check-system:
	@scripts/check-system $(PYTHON) python wheels build

check-python:
	@scripts/check-system $(PYTHON) python

PACKAGE := setup.py setup.cfg pyproject.toml package.xml coarse_loftr_ros/__init__.py \
  lab/setup.py lab/coarse_loftr_lab/__init__.py \
  $(wildcard launch/*.launch.py config/*.* examples/*.*)
MESSAGES := $(addprefix coarse_loftr_msgs/,pyproject.toml package.xml CMakeLists.txt) \
  $(wildcard coarse_loftr_msgs/msg/*.msg)

# bin/python is the last thing a virtual environment gets, and it is a link to $(PYTHON): when
# that is gone (a new system Python) it counts as missing and the environment starts afresh.
$(VENV)/bin/python: | check-system
	$(PYTHON) -m venv --clear $(VENV)

$(VENV_TRAIN)/bin/python $(VENV_LINT)/bin/python: | check-python
	$(PYTHON) -m venv --clear $(@D:/bin=)

$(VENV)/.base: $(PACKAGE) | $(VENV)/bin/python
	@echo "Installing ROS 2 wheels and inference runtimes into $(VENV) (a minute or two, once) ..."
	$(VENV)/$(PIP) install --editable '.[ros,cpu]' --editable ./lab
	@touch $@

$(VENV)/.msgs: $(MESSAGES) | $(VENV)/.base
	@echo "Building coarse_loftr_msgs (a minute, once) ..."
	$(VENV)/$(PIP) install --force-reinstall --no-deps ./coarse_loftr_msgs
	@touch $@

$(VENV)/.test: $(READY) $(VENV)/.pycuda
	@echo "Installing test tools, colcon, evo, Ray, ncnn and TensorRT for RTX into $(VENV) ..."
	$(VENV)/$(PIP) install --editable '.[test,colcon,tensorrt-rtx,odometry,fleet,ncnn]' \
	  --editable './lab[quantize,plots]'
	@touch $@

$(VENV)/.pycuda: scripts/install-pycuda | $(READY)
	@echo "Compiling PyCUDA into $(VENV) (a minute or two, once) ..."
	scripts/install-pycuda $(VENV)/bin/python
	@touch $@

$(VENV_TRAIN)/.test: $(PACKAGE) | $(VENV_TRAIN)/bin/python
	@echo "Installing PyTorch and test tools into $(VENV_TRAIN) (some minutes, once) ..."
	$(VENV_TRAIN)/$(PIP) install --editable '.[cpu,test]' \
	  --editable './lab[train,prune,ncnn,detector]' 'torch==2.13.*'
	@touch $@

$(VENV_LINT)/.ruff: Makefile | $(VENV_LINT)/bin/python
	$(VENV_LINT)/$(PIP) install 'ruff==0.17.6' 'import-linter==2.17'
	@touch $@
