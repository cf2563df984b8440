# What can be done here. 'make' alone lists it.
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Tests at a time: two guests keep two cores busy, and take 6 GiB of memory.
WORKERS ?= 2

# What the lab and the tests need from Debian; rescue itself needs those of docs/install.md.
PACKAGES := python3-venv python3-dev gcc pkg-config libparted-dev \
    parted fdisk gdisk dosfstools mtools e2fsprogs xfsprogs btrfs-progs rsync gddrescue smartmontools acl attr cpio zstd lz4 lzop bzip2 xz-utils \
    grub-common grub-pc-bin grub-efi-amd64-bin grub-efi-amd64-signed shim-signed \
    mmdebstrap squashfs-tools qemu-system-x86 qemu-utils ovmf memtest86+ openssh-client uidmap \
    scdoc man-db tmux \
    debhelper dh-python pybuild-plugin-pyproject python3-hatchling lintian dpkg-dev \
    python3-click python3-parted python3-prompt-toolkit python3-pyudev python3-rich python3-tomli-w

.PHONY: help packages lint test test-fast fuzz test-long test-proof test-drill medium reference pictures docs deb test-deb demo bench clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

packages: ## install the Debian packages that the lab and the tests need
	@scripts/install-packages $(PACKAGES)

$(VENV)/ready: pyproject.toml | packages
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

lint: $(VENV)/ready ## ruff, mypy --strict, the architecture
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(VENV)/ready ## everything: unit, property, fuzz, image and guest tests
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

test-fast: $(VENV)/ready ## what needs no virtual machine
	$(BIN)/python -m pytest -m 'not guest'

fuzz: $(VENV)/ready ## every parser against thousands of damaged inputs, other ones each time: minutes
	$(BIN)/python -m pytest --hypothesis-profile=fuzz --numprocesses $(WORKERS) tests/fuzz

test-long: $(VENV)/ready ## and the long stories: the rescue system, firmwares, kernel upgrades
	$(BIN)/python -m pytest --long

test-proof: $(VENV)/ready ## mirrors broken in every way: each is booted and the cause is named (20 min)
	$(BIN)/python -m pytest --long tests/guest/test_prove.py

test-drill: $(VENV)/ready ## 'rescue drill' on a mirror of the lab: the whole night, rehearsed
	$(BIN)/python -m pytest --long tests/guest/test_drill.py

medium: $(VENV)/ready ## the rescue medium's image, build/rescue.img
	mkdir -p build && rm -f build/rescue.img
	$(BIN)/rescue media image build/rescue.img

reference: $(VENV)/ready ## what is made from the code: man pages, completion, example configuration, in build/reference
	scripts/build-reference build/reference $(abspath $(BIN))/python

pictures: $(VENV)/ready ## what rescue shows, as pictures for the documents, docs/pictures
	$(BIN)/python -m scripts.pictures

$(VENV)/docs: $(VENV)/ready
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

docs: $(VENV)/docs ## the handbook as a web site, build/site; a link that leads nowhere is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

deb: $(VENV)/ready ## the Debian package, build/rescue_VERSION_all.deb, for Debian 12 and 13
	scripts/build-deb $(abspath $(BIN))/python

test-deb: $(VENV)/ready ## the package in clean Debian 12 and 13 systems: installed, run, upgraded, purged
	$(BIN)/python -m pytest --long tests/image/test_package.py

demo: $(VENV)/ready ## the whole story in disposable virtual machines
	$(BIN)/python -m scripts.demo

bench: $(VENV)/ready ## what it costs, as ratios against a peer in the same run
	$(BIN)/python -m scripts.bench

clean: ## remove what the targets made (the lab's images stay in their cache)
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
