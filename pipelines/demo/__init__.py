"""Recordings rendered from public-domain scores, for the demo and the benchmarks."""
