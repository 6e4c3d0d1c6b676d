"""`python -m bpetok` is `bpetok`."""

import sys

from bpetok.cli import main

sys.exit(main())
