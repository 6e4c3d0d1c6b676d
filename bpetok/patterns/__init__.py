"""Text to words: how a split pattern cuts.

In: UTF-8 text and a pattern. Out: where its words end. The names below are for users: the built-in
patterns, each as its regular expression or its steps. `bpetok.patterns.chains` says what steps are.

What a pattern is: `builtin`, `chains`, `explaining` (what scans it), `pretokenize` (a look at its
words), `errors`; for the engines of others: `dialects`, `portable`. Scanners of the oldest built-in
patterns, written by hand: `scan`, `word_key`.
Special tokens in a text: `special`. Before the split: `normalizers`, `normalize`.

Any other pattern is compiled, in this order: `parse` (expression to tree), `classes` (its sets of
characters), `nfa` (tree to program), `matcher` (program to automaton), `lookahead`, `automaton`
(all steps of a chain as one), `tables` (to arrays), `dfa` (the scanner); `compiling` calls them
all. What can't be compiled is run by `regex`, in processes: `expressions`, with `bounds` of memory.

Made by the three `generate_` modules: `unicode.h`, `normal.h` and `unicode_properties`.
"""

from bpetok.patterns.builtin import CHAINS as CHAINS
from bpetok.patterns.builtin import CL100K as CL100K
from bpetok.patterns.builtin import DEEPSEEK as DEEPSEEK
from bpetok.patterns.builtin import FALCON as FALCON
from bpetok.patterns.builtin import GPT2 as GPT2
from bpetok.patterns.builtin import KIMI as KIMI
from bpetok.patterns.builtin import LLAMA3 as LLAMA3
from bpetok.patterns.builtin import NANOCHAT as NANOCHAT
from bpetok.patterns.builtin import NONE as NONE
from bpetok.patterns.builtin import O200K as O200K
from bpetok.patterns.builtin import PATTERNS as PATTERNS
from bpetok.patterns.builtin import QWEN2 as QWEN2
from bpetok.patterns.builtin import QWEN35 as QWEN35
from bpetok.patterns.builtin import SMOLLM as SMOLLM
from bpetok.patterns.builtin import SPELLINGS as SPELLINGS
from bpetok.patterns.builtin import SUPERBPE as SUPERBPE
from bpetok.patterns.builtin import TEKKEN as TEKKEN
from bpetok.patterns.builtin import UNICODE_VERSION as UNICODE_VERSION
from bpetok.patterns.builtin import names as names
from bpetok.patterns.explaining import explain as explain
