r"""Scripts as tokenizers' UnicodeScripts knows them, those of Unicode 9.

Hiragana, Katakana and their common mark U+30FC are Han there. The space and what Unicode 9 does not
have are of any script. In an expression, ``\p{UnicodeScripts=0}`` is the first of these sets, and
``\p{UnicodeScripts=any}`` what is of any script.
"""

from __future__ import annotations

from functools import cache

from bpetok.patterns.classes import (
    CodeSet,
    code_range,
    complement,
    intersection,
    script_sets,
    union,
)

# What Unicode 16 has and Unicode 9 has not: where that begins and ends, each as the distance from
# the place before it, in base 36. A range may go over what neither has.
_NEWER = (
    "w 1 11b 1 13 1 2u 1 19 1 db 3 2o 1s l 1 8 m 88 3 3b 1 3n 6 2d 1 4u 1 1j 1 w 1 p 1 c 1 2g 1 "
    "l e 3 1 1i 2 1w 1 78 1 2 1 2 1 1 6 4 1 7 1 7 2 2 1 d 1 j 1 1mm 1 7 b 6n 1 2w 1 g6 g 3h 4 "
    "19 3 7d 1j 1j 1 2 1 6z 5 jo 2 n2 1 13 3 1gt 1 y 3 c 1 8 q 4 g 1b 1 1b 1 dh p bi 4 8e 2 3v "
    "5 10 c 7j 1 59y a g7q 16 1in 1 8 1r 1h 1 5t 2 h2 6 fva 1 al g 3j 1 1a 2 po 1 b4 3 g0 3o b0 "
    "1n hl 2 i 1 jb 40 6o af 3d 6 24 c 3a 4 3q 2 33 3 6x 1 1w 2r 3b 1 3 4 gm 2 m k 1i 1 11 70 "
    "5g cg 1s 6y 7a lc 32o 2r u4 34c 5qd 1m 1ti 2i hi 9n 4q b 1b 9 2h h 4qj b l7 7bg 3 l6 4xw "
    "qs f9 2 5x 1g 3i 7 29z 17 79 1jj 98 1 md 5p r3 3 v 1 1o 4 1p 1 4y 6 vh d n 6 3b c 2d s 5b "
    "2o f 1 8 8 1 2 c 1 c 4 f x i 1a 1 ft xr1 9 385 5 4mu 69a 3he 71s "
)
# What has got another script since, with the one that it was of.
_MOVED = {0x589: "common", 0x61C: "common", 0x953: "deva", 0x954: "deva", 0x30FC: "han"}


def older_script(name: str) -> CodeSet | None:
    """Return what ``UnicodeScripts=`` with a number or "any" names; None for all else."""
    kind, _, value = name.partition("=")
    if kind != "UnicodeScripts":
        return None
    if value == "any":
        return complement(union(_scripts()))
    scripts = _scripts()
    return scripts[int(value)] if value.isdecimal() and int(value) < len(scripts) else None


@cache
def _scripts() -> list[CodeSet]:
    at = 0
    newer = tuple(at := at + int(distance, 36) for distance in _NEWER.split())
    gone = union([newer, code_range(0x20, 0x20), *(code_range(code, code) for code in _MOVED)])
    left = complement(gone)
    sets = {name: intersection(code_set, left) for name, code_set in script_sets().items()}
    sets["han"] = union([sets["han"], sets.pop("hira"), sets.pop("kana")])
    for code, name in _MOVED.items():
        sets[name] = union([sets[name], code_range(code, code)])
    del sets["unknown"]
    return [code_set for code_set in sets.values() if code_set]
