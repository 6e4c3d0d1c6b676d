"""`python -m bpetok` is `bpetok`."""

from bpetok.cli.main import run

run()
