"""Campaigns: checks that draw random inputs for as long as one likes; no part of the package.

    campaign.py     what a campaign is
    runner.py       draws inputs, checks them in a process of their own, saves and shrinks findings
    shrinking.py    smaller inputs that still fail
    scanner.py ...  one campaign each: README.md lists them
    cli.py          ``python -m campaigns``

The oracles are other libraries and the plain functions of ``tests/reference.py``.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
if str(ROOT / "tests") not in sys.path:
    if sys.path[:1] == [str(ROOT)]:  # put there by `-m`
        del sys.path[0]
    sys.path.append(str(ROOT / "tests"))
if str(ROOT) not in sys.path:
    # Last: an installed bpetok is found before its sources, which may not be compiled.
    sys.path.append(str(ROOT))
