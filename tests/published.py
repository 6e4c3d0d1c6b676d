r"""Split expressions that others have published, and those of bug reports: data for tests.

Each is spelled as its source has it, but that groups with names of characters are written out. Some
can't be compiled, and some are other spellings of a pattern that has a name here. A chain is a
list: each expression splits the pieces of the one before.
"""

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
CASES = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
ENDS = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
NO_LOWER = r"((?=[\p{L}])([^a-z]))"
NO_UPPER = r"((?=[\p{L}])([^A-Z]))"
MARKED_NO_LOWER = r"((?=[\p{L}\p{M}])([^a-z]))"
MARKED_NO_UPPER = r"((?=[\p{L}\p{M}])([^A-Z]))"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"
OTHERS = r"| ?[^\s\p{L}\p{N}]+[\r\n]*"

EXPRESSIONS = {
    # openai/gpt-2, src/encoder.py
    "gpt-2": GPT2 + r"|\s+",
    # openai/tiktoken, tiktoken_ext/openai_public.py, before and after 0.7
    "cl100k, before 0.7": CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + OTHERS + ENDS,
    "cl100k": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    "r50k": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
    "o200k": rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{CONTRACTIONS}?"
    rf"|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{CONTRACTIONS}?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + ENDS,
    # dotnet/machinelearning, Microsoft.ML.Tokenizers
    "cl100k, atomic": r"'(?i:[sdmt]|re|ve|ll)|(?>[^\r\n\p{L}\p{N}]?)\p{L}+|\p{N}{1,3}"
    r"| ?(?>[^\s\p{L}\p{N}]+)[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
    # ggml-org/llama.cpp, src/llama-vocab.cpp
    "llama.cpp: llama 3": rf"{CASES}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}{OTHERS}{ENDS}",
    "llama.cpp: qwen 2": rf"{CASES}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{OTHERS}{ENDS}",
    "llama.cpp: qwen 3.5": rf"{CASES}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}"
    rf"| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*{ENDS}",
    "llama.cpp: tekken": rf"[^\r\n\p{{L}}\p{{N}}]?{NO_LOWER}*{NO_UPPER}+"
    rf"|[^\r\n\p{{L}}\p{{N}}]?{NO_LOWER}+{NO_UPPER}*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + ENDS,
    "llama.cpp: gpt-4o": rf"[^\r\n\p{{L}}\p{{N}}]?{NO_LOWER}*{NO_UPPER}+{CASES}?"
    rf"|[^\r\n\p{{L}}\p{{N}}]?{NO_LOWER}+{NO_UPPER}*{CASES}?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + ENDS,
    "llama.cpp: granite": rf"[^\r\n\p{{L}}\p{{N}}]?{MARKED_NO_LOWER}*{MARKED_NO_UPPER}+{CASES}?"
    rf"|[^\r\n\p{{L}}\p{{N}}]?{MARKED_NO_LOWER}+{MARKED_NO_UPPER}*{CASES}?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + ENDS,
    "llama.cpp: bloom": r" ?[^(\s|.,!?…。，、।۔،)]+",
    "llama.cpp: tiny aya, digits": r"\d{1,3}(?=(?:\d{3})*\b)",
    "llama.cpp: bailing": r"'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])"
    r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
    "bailing": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*"
    r"|\s*[\r\n]|\s+(?!\S)|\s+",
    "seed coder": rf"{CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1}}"
    rf"| ?[^\s\p{{L}}\p{{N}}\r\n]+{ENDS}",
    "no contractions": rf"[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{OTHERS}{ENDS}",
    "exaone": CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+",
    "gemma 4": r"[^\n]+|[\n]+",
    "words of jina": r"\S+",
    "hunyuan, scripts": r"[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+",
    "hunyuan": rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{CASES}?"
    rf"|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{CASES}?|\p{{N}}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*" + ENDS,
    # moonshotai/Kimi-K2-Instruct, tokenization_kimi.py
    "kimi": r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*"
    rf"[\p{{Ll}}\p{{Lm}}\p{{Lo}}\p{{M}}&&[^\p{{Han}}]]+{CONTRACTIONS}?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+"
    rf"[\p{{Ll}}\p{{Lm}}\p{{Lo}}\p{{M}}&&[^\p{{Han}}]]*{CONTRACTIONS}?|\p{{N}}{{1,3}}{OTHERS}{ENDS}",
    # karpathy/nanochat and karpathy/rustbpe
    "nanochat": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,2}"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
    "rustbpe": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
    # PythonNut/superbpe, stages 1 and 2
    "superbpe 2": r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]{2,}[\r\n/]*| +(?!\S)",
    "superbpe 2, words": r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]{2,}[\r\n/]*| +(?!\S)"
    r"| ?[^\s\p{L}\p{N}]|\p{L}+",
    # kensho-technologies/pathpiece and kin: numbers counted from the right, capitals
    "capitals": r"'(?i:[sdmt]|ll|ve|re)| ?[\p{Lu}]+(?=[\p{Lu}][\p{Ll}])| ?[\p{Lu}]?[\p{Ll}]+"
    r"| ?[\p{Lu}]+| ?[\p{Lt}\p{Lm}\p{Lo}]+|\p{N}{1,3}(?=(?:\p{N}{3})*(?:\P{N}|$))"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+",
    "snake": r" ?(?:\p{L}\p{M}*)+['’](?:\p{L}\p{M}*)+|_(?:\p{Ll}\p{M}*)+"
    r"| ?(?:\p{Lu}\p{M}*)+(?=(?:\p{Lu}\p{M}*)(?:\p{Ll}\p{M}*))| ?(?:\p{Lu}\p{M}*)?(?:\p{Ll}\p{M}*)+"
    r"| ?(?:\p{L}\p{M}*)+|\p{N}{1,3}(?=(?:\p{N}{3})*(?:\P{N}|$))| ?[^\s\p{L}\p{N}]+|\s+",
    "gpt-4o, from the right": rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{CONTRACTIONS}?"
    rf"|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{CONTRACTIONS}?"
    rf"|\p{{N}}{{1,3}}(?=(?:\p{{N}}{{3}})*(?:\P{{N}}|$))| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*{ENDS}",
    "marks and joiners": r" ?[\p{L}\p{M}\u200C\u200D]+| ?\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))"
    r"| ?[^\s\p{L}\p{N}\p{M}]+|\s+(?!\S)|\s+",
    "thousands": r"(?:\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N})))",
    # stabilityai/stablelm-2, xai-org/grok-1
    "stablelm": rf"{CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{OTHERS}{ENDS}",
    # xai-org/grok-1, PAT_STR_B
    # bug reports: white space, ends of lines, edges of words, what is matched late
    "spaces of one kind": r" +|\t+|\n+|\r+|[^\s]+|\s",
    "lines": r"(?:\r?\n)+(?!\r?\n)|[^\r\n]+|\r",
    "lines, kept together": r".*\n|.+",
    "paragraphs": r"\n\n+|\n|[^\n]+",
    "edges": r"\b\w+\b|\W",
    "sentences": r"[^.!?]+[.!?]*\s*|[.!?]+",
    "camel": r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d|[^A-Za-z\d]+",
    "identifiers": r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|\s+|[^\sA-Za-z0-9_]",
    "addresses": r"\w+@\w+\.\w+|\w+|\W",
    "urls": r"https?://\S+|\w+|\s+|[^\w\s]+",
    "quotes": r'"[^"\n]*"|\w+|\s+|[^\w\s]',
    "lazy quotes": r'".*?"|\w+|\s+|[^\w\s]',
    "ascii": r"[a-z]+|[^a-z]",
    "graphemes, nearly": r"\r\n|\P{M}\p{M}*|\p{M}",
    "scripts": r"\p{Han}|\p{Hiragana}+|\p{Katakana}+|\p{Hangul}+|\p{Latin}+|[\s\S]",
    "look-behind": r"(?:[\p{L}\p{M}]|(?<=\p{L})'(?=\p{L}))+|\p{N}|[^\p{L}\p{M}\p{N}]",
    "single letters": r"[\s\S]",
    "two at a time": r"[\s\S]{1,2}",
}

CHAINS: dict[str, list[str]] = {
    # ggml-org/llama.cpp, src/llama-vocab.cpp: as tokenizer.json has them
    "deepseek coder": [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", r"[一-龥ࠀ-一가-퟿]+", r"\p{N}"],
    "starcoder": [r"\p{N}", GPT2],
    "falcon": [r"[\p{P}\$\+<=>\^~\|`]+", GPT2, r"[0-9][0-9][0-9]"],
    "default": [r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", r"[0-9][0-9][0-9]"],
    "chameleon": [
        r"<sentinel:[0-9]+>",
        r"(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z",
        r"([\t\n]|    |  )",
        r"\p{N}",
        r"[\p{P}!-/:-@\[-`{-~]",
        GPT2,
    ],
    "viking": [r" ?[^(\s|.,!?…。，、।۔،)]+", r"\p{N}"],
    "superbpe 1": [r"\p{N}+", r"(?=(\d{3})+(?!\d))"],
    "laguna": [r"[^\n]+|[\n]+", EXPRESSIONS["llama.cpp: qwen 2"]],
    "youtu": [EXPRESSIONS["hunyuan, scripts"], EXPRESSIONS["hunyuan"]],
    "minicpm": [
        r"\p{N}{1,3}",
        rf"{CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}+{OTHERS}{ENDS}",
    ],
}
