"""`python -m bpetok` is `bpetok`."""

from bpetok.cli import run

run()
