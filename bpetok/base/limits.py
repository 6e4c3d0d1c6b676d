"""Numbers that every stage knows."""

N_BYTES = 256
"""The ids from 0 to 255 are those of the bytes; those of merges come after them."""

MAX_INT32 = (1 << 31) - 1
"""The largest id, and the longest word: both are int32."""

MAX_INT64 = (1 << 63) - 1
"""The largest count."""
