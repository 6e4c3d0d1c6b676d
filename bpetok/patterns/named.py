r"""The expressions and chains of the built-in patterns, with where each is published.

They are spelled so that the engines of `regex`, tiktoken and Hugging Face tokenizers read them
alike; `bpetok.patterns.builtin` knows their other spellings.
"""

from __future__ import annotations

from collections.abc import Sequence

GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""GPT-2, r50k and p50k: tiktoken, tiktoken_ext/openai_public.py, without possessive quantifiers."""

CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s+(?![\s\S])|\s*[\r\n]|\s+(?!\S)|\s"
)
r"""GPT-3.5 and GPT-4: tiktoken, tiktoken_ext/openai_public.py, without possessive quantifiers
(Oniguruma reads ``{1,3}+`` otherwise) and with ``\s+(?![\s\S])`` for ``\s++$``."""

O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""GPT-4o: tiktoken, tiktoken_ext/openai_public.py."""

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Llama 3: meta-llama/llama3, llama/tokenizer.py."""

QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Qwen2 and Qwen3: huggingface/transformers, models/qwen2/tokenization_qwen2.py."""

NANOCHAT = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,2}"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
)
"""nanochat: karpathy/nanochat, nanochat/tokenizer.py."""

NONE = r"[\s\S]+"
"""A text is one word: karpathy/minbpe, minbpe/basic.py. For DNA, or to see what plain BPE does."""

QWEN35 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
    r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Qwen3.5: its tokenizer.json. As `QWEN2`, but marks belong to words."""

TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Tekken (Mistral), tekken.json; Nemotron 3. As `O200K`, without contractions, single digits."""

KIMI = (
    r"\p{Han}+"
    r"|[^\r\n\p{L}\p{N}]?(?:(?!\p{Han})[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])*"
    r"(?:(?!\p{Han})[\p{Ll}\p{Lm}\p{Lo}\p{M}])+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?(?:(?!\p{Han})[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])+"
    r"(?:(?!\p{Han})[\p{Ll}\p{Lm}\p{Lo}\p{M}])*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Kimi K2: moonshotai/Kimi-K2-Instruct, tokenization_kimi.py, without && (`SPELLINGS`), which
`regex` takes otherwise. Chinese characters are words of their own; all else is as in `O200K`."""

PATTERNS = {
    "gpt2": GPT2,
    "cl100k": CL100K,
    "o200k": O200K,
    "llama3": LLAMA3,
    "qwen2": QWEN2,
    "nanochat": NANOCHAT,
    "none": NONE,
    "qwen3.5": QWEN35,
    "tekken": TEKKEN,
    "kimi": KIMI,
}
"""The built-in patterns that are one expression."""

DEEPSEEK = (
    r"\p{N}{1,3}",
    r"[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
)
"""DeepSeek V3, R1 and later: deepseek-ai/DeepSeek-V3, tokenizer.json."""

SMOLLM = ("digits", "gpt2")
"""SmolLM, StarCoder: HuggingFaceTB/SmolLM-135M and bigcode/starcoder, tokenizer.json."""

FALCON = (
    ("punctuation", "contiguous"),
    "gpt2",
    "byte_level",
    ("digits", "contiguous"),
    r"[0-9][0-9][0-9]",
)
"""Falcon: tiiuae/falcon-7b, tokenizer.json. Words may end inside of a character."""

SUPERBPE = (r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]{2,}[\r\n/]*| +(?!\S)",)
"""Stage 2 of SuperBPE: PythonNut/superbpe, scripts/extend_tokenizer.sh."""

SUPERBPE_EXPRESSION = rf"{SUPERBPE[0]}|(?:(?!{SUPERBPE[0]})[\s\S])+"
"""The same words by one expression, for engines that take its matches only: the last alternative is
what is between two matches."""

CHAINS: dict[str, Sequence[str | tuple[str, str]]] = {
    "deepseek": DEEPSEEK,
    "smollm": SMOLLM,
    "falcon": FALCON,
    "superbpe": SUPERBPE,
}
"""The built-in patterns of several steps: `bpetok.patterns.chains` says what a step is."""
