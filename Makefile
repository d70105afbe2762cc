# The steps of CI, each a target. `make demo` and `make test` do all set-up from a fresh clone on Debian 12 with Rust, as root.

SHELL := /bin/bash
.DEFAULT_GOAL := build

# Compilers for the XDP programs and etcd's protocol; the daemons, tools and captures that the lab works with.
PACKAGES := clang llvm libbpf-dev libxdp-dev libelf-dev zlib1g-dev linux-libc-dev libc6-dev gcc m4 pkg-config \
	protobuf-compiler etcd-server etcd-client iproute2 ethtool iputils-ping iperf3 tcpdump tshark nftables iptables openssl \
	procps util-linux tmux curl prometheus chromium fonts-dejavu-core containernetworking-plugins jq

.PHONY: build release demo pktgen-demo test deps fmt clippy doc unit loom fuzz fuzzers namespaces bench bench-full bench-cycles bench-veth bench-pktgen deny clean help

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' Makefile

build: release ## Release binaries, and everything the tests need
	cargo test --workspace --no-run

release: deps
	cargo build --release --workspace

demo: release ## Three nodes in network namespaces talk through the engine (root)
	target/release/tweed-perf demo

pktgen-demo: release ## tweed-pktgen loads pod to pod through two tweed nodes (root)
	target/release/tweed-perf demo --load

test: deps ## Everything that must pass, in order, and one line of totals (root)
	@.ci/test fmt clippy doc unit loom namespaces

deps: ## Debian packages and Rust components, if any is missing
	@missing=$$(for p in $(PACKAGES); do \
		dpkg-query -W -f='$${db:Status-Status}' $$p 2>/dev/null | grep -qx installed || echo $$p; done); \
	if [ -n "$$missing" ]; then \
		echo "installing" $$missing; \
		export DEBIAN_FRONTEND=noninteractive; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing; \
	fi
	@cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 \
		|| rustup component add rustfmt clippy

fmt: ## Formatting, checked
	cargo fmt --all --check

clippy: ## Lints, warnings are errors
	cargo clippy --workspace --all-targets -- -D warnings

doc: ## Documentation builds without a warning
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

unit: ## Bytes, properties, golden captures, memory rings, real etcd: no root needed
	cargo test --workspace --no-fail-fast

# Its own target directory, for --cfg loom changes every crate. Optimised is only what explores the model.
LOOM := RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom CARGO_PROFILE_DEV_DEBUG=0 cargo test --lib \
	--config 'profile.dev.package.loom.opt-level=2' --config 'profile.dev.package.generator.opt-level=2'

loom: ## The shared-memory protocols under the model checker
	$(LOOM) -p tweed-contract publish
	$(LOOM) -p tweed-dataplane xsk

fuzz: ## Twelve million hostile frames, and what the fuzzers ever reached; `unit` does a third of it
	TWEED_STORM=12000000 cargo test -p tweed-dataplane --test hostile -- --nocapture
	cargo test -p tweed-dataplane --test mangled --test replay
	cargo test -p tweed-contract --test replay
	cargo test -p tweed-control --test hostile
	cargo test -p tweed-pktgen --test replay

# Needs a nightly compiler. A UMEM is never unmapped, so leaks are not looked for. New inputs go to target/fuzz; what fails, to
# fuzz/artifacts: give it a name in fuzz/corpus and fix it.
fuzzers: ## libFuzzer for a minute on each target (FUZZ_SECONDS)
	@cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
	for target in turn encap decap offload tables lease config pktgen; do \
		mkdir -p target/fuzz/$$target; \
		ASAN_OPTIONS=detect_leaks=0 cargo +nightly fuzz run $$target target/fuzz/$$target fuzz/corpus/$$target -- \
			-max_total_time=$${FUZZ_SECONDS:-60} -max_len=4096 || exit 1; \
	done

namespaces: ## Real kernel, real etcd, real daemons (root)
	.ci/namespaces

bench: release ## tweed beside what one would run instead: tables and a page in target/bench, under 10 minutes (root)
	target/release/tweed-perf bench --short

bench-full: release ## The same with every point and every underlay, under an hour (root)
	target/release/tweed-perf bench

bench-cycles: ## Nanoseconds and cycles per packet, over memory rings
	cargo bench -p tweed-contract -p tweed-dataplane

bench-veth: release ## Packets per second over veth, beside a bare AF_XDP forwarder and the kernel (root)
	target/release/tweed-perf bench veth

bench-pktgen: release ## tweed-pktgen's senders beside a bare AF_XDP sender in C (root)
	cargo bench -p tweed-pktgen --bench tx_rate

deny: ## Licences, sources and duplicates of dependencies
	@cargo deny --version >/dev/null 2>&1 || cargo install --locked cargo-deny
	cargo deny check licenses sources bans

clean: ## Remove what was built
	cargo clean
