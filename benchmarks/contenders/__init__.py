"""One file a library; what a contender must have stands in ``benchmarks/interface.py``."""
