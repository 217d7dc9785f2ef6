"""What the engine costs and how near it comes to the machine's limit, beside its peers: `make bench` writes docs/benchmarks.md."""
