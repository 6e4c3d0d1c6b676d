"""``python -m campaigns``."""

import sys

from campaigns.cli import main

if __name__ == "__main__":  # a process that checks inputs imports this file, too
    sys.exit(main())
