"""Benchmarks in physical units; `make bench` appends every result, also a failure, to a history."""
