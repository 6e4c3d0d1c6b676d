"""Numbers, and a name, that every stage knows."""

N_BYTES = 256
"""The ids from 0 to 255 are those of the bytes; those of merges come after them."""

MAX_SYMBOLS = 1 << 20
"""The most different symbols of sequences of integers. For each there are rows in tables, and a
character in exports."""

MAX_INT32 = (1 << 31) - 1
"""The largest id, and the longest word: both are int32."""

MAX_ENCODED = 1 << 29
"""The longest word, in bytes, that is encoded, and the longest sequence of symbols."""

MAX_TOTAL_BYTES = 1 << 28
"""The most that all tokens of a tokenizer have together. Real vocabularies hold some megabytes;
merges that double, (0, 0), (256, 256), ..., would fill any memory in 30 steps."""

MAX_INT64 = (1 << 63) - 1
"""The largest count."""

DEFAULT_PATTERN = "gpt2"
"""What splits text into words if nothing else is said; see `bpetok.patterns`."""
