# The one home of commands. `make` alone lists them.

TARGET := $(or $(CARGO_TARGET_DIR),target)
AGENTS := $(TARGET)/debug/agents
# Namespaces, sshd and firewall rules of the tests need root; `sudo` where we are not.
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo -E)
AS_ROOT := $(if $(SUDO),CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="$(SUDO)")

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|'

demo: setup build ## see it work: a private network, the window, curl
	@$(SUDO) $(TARGET)/debug/ropeway-demo

run: setup build ## open the app for daily work
	@$(TARGET)/debug/ropeway-app

test: setup build check test-ui test-rust ## every test, unit to end-to-end

check: ui/node_modules check-deny check-macos ## formats, lints, licences
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	shellcheck -s sh src-tauri/engine/src/setup_helper/*.sh
	cd ui && npm run --silent check && npm run --silent lint

check-deny:
	@installers/dev/deny.sh

check-macos:
	@installers/dev/check-macos.sh

test-ui: ui/node_modules ## the window in a browser, with a mock engine
	@command -v chromium >/dev/null || (cd ui && npx playwright install --with-deps chromium)
	cd ui && npm run --silent test && npm run --silent test:browser

test-rust: build build-helper ## Rust: unit, property, namespaces, real ssh, the real window
	$(AS_ROOT) cargo test --workspace --no-fail-fast

bench: setup ## speed, beside sshuttle and ssh in the same run; writes docs/performance.md (PARTS="load step", QUICK=1)
	cargo build --release -p ropeway-cli -p ropeway-helper -p ropeway-lab
	installers/agent/build.sh $(TARGET)/release/agents
	installers/bench/setup.sh $(TARGET)/bench/venv
	$(SUDO) $(TARGET)/release/ropeway-bench $(if $(QUICK),--quick) docs/performance.md $(PARTS)

setup: ## installs what is missing (Debian, Ubuntu)
	@installers/dev/setup.sh

build: ui/dist/index.html
	cargo build --workspace
	cargo build -p ropeway-helper --features kill-points --bin ropeway-helper-mortal
	installers/agent/build.sh $(AGENTS)

# As packages have it: its size is tested.
build-helper:
	cargo build --profile helper --package ropeway-helper

ui/dist/index.html: ui/node_modules $(shell find ui/src ui/index.html ui/vite.config.ts -type f 2>/dev/null)
	cd ui && npm run --silent build -- --logLevel warn
	@touch $@

ui/node_modules: ui/package-lock.json
	cd ui && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --silent --no-audit --no-fund
	@touch $@

clean: ## removes what was built
	rm -rf $(TARGET) ui/dist ui/node_modules

.PHONY: help demo run test check check-deny check-macos test-ui test-rust bench setup build build-helper clean
