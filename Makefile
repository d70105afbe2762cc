all:
	cargo build --release --workspace
