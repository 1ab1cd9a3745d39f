# wasmrt: two commands do everything.
#   make demo    installs what is missing, builds release, runs a real program on every engine
#   make test    runs every test
# and, for those who work on it:
#   make lint | guests | bench | test-ffi | test-python | test-node | test-e2e | test-cgroup2 | test-wasmer | test-dist | install

CARGO ?= cargo
# Shared by all checkouts: the engines take minutes to compile, once.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/wasmrt/target
export WASMRT_GUESTS ?= $(CARGO_TARGET_DIR)/guests
export WASMRT_CLI ?= $(CARGO_TARGET_DIR)/release/wasm-run
export WASMRT_WORKER ?= $(CARGO_TARGET_DIR)/release/wasmrt-worker
export WASMRT_SHIM ?= $(CARGO_TARGET_DIR)/release/containerd-shim-wasmrt
# An interpreter that has the Python package of this checkout; `bindings/python/dev` makes it.
export WASMRT_PYTHON ?= $(CARGO_TARGET_DIR)/python/venv/bin/python
PREFIX ?= /usr/local
DESTDIR ?=
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include

DIST := $(CARGO_TARGET_DIR)/dist

.PHONY: demo test dist ffi test-ffi test-python test-node test-e2e test-cgroup2 test-wasmer test-dist setup build guests lint bench install clean-guests

demo: build guests
	@tests/demo "$(WASMRT_CLI)" "$(WASMRT_GUESTS)"

setup:
	@.ci/setup

build: setup
	$(CARGO) build --release --locked --workspace

guests: setup
	@tests/guests/build "$(WASMRT_GUESTS)"

# What the machine must have is named here, so that a missing part fails instead of being skipped. `.ci/run` names all.
test: build guests
	$(MAKE) --no-print-directory test-python
	$(MAKE) --no-print-directory test-node
	$(MAKE) --no-print-directory ffi
	$(CARGO) nextest run --cargo-profile release --locked --workspace --no-fail-fast
	$(CARGO) test --release --locked --workspace --doc --quiet
	$(CARGO) test --release --locked --quiet --manifest-path tests/guests/rust/Cargo.toml --package guest-http

# libwasmrt, the process that it forks guests from, and the C program that the conformance suite runs its cases with.
ffi: setup
	$(CARGO) build --release --locked --workspace
	ln -sf libwasmrt.so "$(CARGO_TARGET_DIR)/release/libwasmrt.so.0"
	$(CC) -std=c11 -O1 -g -Wall -Wextra -Werror -Iffi/include ffi/tests/adapter.c -o "$(CARGO_TARGET_DIR)/release/wasmrt-c-adapter" \
		-L"$(CARGO_TARGET_DIR)/release" -lwasmrt -Wl,-rpath,'$$ORIGIN'

# libwasmrt's own tests; `test` has them among all others.
test-ffi: ffi
	$(CARGO) nextest run --cargo-profile release --locked --workspace --no-fail-fast -E 'package(wasmrt-ffi)'

# The Python package: style, types, tests, examples, the code of its documentation. Leaves an interpreter for the conformance suite.
test-python: build guests
	$(CARGO) build --release --locked --workspace
	@bindings/python/dev test

# The Node package: runs, instances, types, examples, the code of its documentation. Leaves it built for the conformance suite.
test-node: build guests
	$(CARGO) build --release --locked --workspace
	cd bindings/node && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	cd bindings/node && node scripts/install.js --from "$(CARGO_TARGET_DIR)/release" && npm test

# The shim under a real containerd, Docker and CRI, as root; `test` has these among all others.
test-e2e: build guests
	$(CARGO) nextest run --cargo-profile release --locked --workspace --no-fail-fast -E 'package(wasmrt-e2e)'

# The same on a machine with version 2 control groups alone, which is booted for it, with and without systemd. Two hours or less;
# `tests/e2e/cgroup2/run` takes names of tests.
test-cgroup2: build guests
	@.ci/setup --cgroup2
	@tests/e2e/cgroup2/run --ctr
	@tests/e2e/cgroup2/run --cri
	@tests/e2e/cgroup2/run --docker

# With wasmer, which is built only on demand and then beside the other engines: its own tests, its cases, and all engines compared.
test-wasmer: guests
	$(CARGO) nextest run --cargo-profile release --locked --workspace --no-fail-fast \
		--features wasm-run/wasmer,wasmrt-tests/wasmer,wasmrt-wasmer/wasmer \
		-E 'package(wasmrt-wasmer) | test(/wasmer/) | binary(differential)'

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings

bench: build guests
	@tests/bench/run

# What is installed: each program linked as one and without what only debuggers read, which makes it smaller and quicker to start, and takes minutes.
dist: setup
	$(CARGO) build --profile dist --locked -p wasm-run -p wasmrt-runtime -p containerd-shim-wasmrt

# Containers, and the conformance cases that run by the programs that are installed: by command, by wasmrt-worker, by the shim.
test-dist: dist build guests
	WASMRT_CLI="$(DIST)/wasm-run" WASMRT_WORKER="$(DIST)/wasmrt-worker" WASMRT_SHIM="$(DIST)/containerd-shim-wasmrt" \
		$(CARGO) nextest run --cargo-profile release --locked --workspace --no-fail-fast \
		-E 'package(wasmrt-e2e) | binary(conformance) & test(/^(cli|rust|shim)::/)'

install: dist ffi
	PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" LIBDIR="$(LIBDIR)" INCLUDEDIR="$(INCLUDEDIR)" ffi/install "$(CARGO_TARGET_DIR)/release"
	install -Dm755 "$(DIST)/wasm-run" "$(DESTDIR)$(PREFIX)/bin/wasm-run"
	install -Dm755 "$(DIST)/wasmrt-worker" "$(DESTDIR)$(PREFIX)/libexec/wasmrt/wasmrt-worker"
	install -Dm755 "$(DIST)/containerd-shim-wasmrt" "$(DESTDIR)$(PREFIX)/bin/containerd-shim-wasmrt"
	for name in wasmedge-v1 wasmtime-v1 wasmer-v1 wasm-v2; do \
		ln -sf containerd-shim-wasmrt "$(DESTDIR)$(PREFIX)/bin/containerd-shim-$$name"; done
	"$(DIST)/wasm-run" man | install -Dm644 /dev/stdin "$(DESTDIR)$(PREFIX)/share/man/man1/wasm-run.1"
	"$(DIST)/wasm-run" completions bash | install -Dm644 /dev/stdin "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/wasm-run"
	"$(DIST)/wasm-run" completions zsh | install -Dm644 /dev/stdin "$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_wasm-run"
	"$(DIST)/wasm-run" completions fish | install -Dm644 /dev/stdin "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/wasm-run.fish"
