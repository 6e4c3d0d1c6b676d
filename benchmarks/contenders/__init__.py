"""One file a library; ``benchmarks/interface.py`` says what a contender must have."""
