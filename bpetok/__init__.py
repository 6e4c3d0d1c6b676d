"""Exact byte-level BPE tokenizers, trained fast."""

__version__ = "0.1.0"
