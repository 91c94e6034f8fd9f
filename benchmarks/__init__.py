"""Benchmarks against peers: `make bench` measures and writes docs/performance.md."""
