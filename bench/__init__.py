"""Speed, as ratios measured in one run: `make bench [ONLY=S2]`; see docs/benchmarks/README.md."""
