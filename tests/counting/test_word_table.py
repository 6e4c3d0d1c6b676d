"""Words that were made to collide take no more time than others, and come in the same order."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise, product
from time import perf_counter

import numpy as np
import pytest
from numpy.typing import NDArray

import bpetok
from bpetok import Words
from bpetok.counting.arrays import combine_tables
from bpetok.counting.word_table import N_PARTITIONS, WordTable, sorted_words
from bpetok.patterns.special import SpecialTokens

PI_0, PI_1 = 0x243F6A8885A308D3, 0x13198A2E03707345
"""The seed of a table of words before it is attacked: see word_key.pxd."""


def fold(a: int, b: int) -> int:
    """Both halves of a product, as multiply_fold in simd.h."""
    return (a * b) & 0xFFFFFFFFFFFFFFFF ^ (a * b) >> 64


def known_hash(word: bytes) -> int:
    """The hash of a word of at most 15 bytes."""
    low = int.from_bytes(word[:8], "little") ^ PI_0
    return fold(low, (int.from_bytes(word[8:], "little") | len(word) << 56) ^ PI_1)


def short_collisions(n: int) -> list[bytes]:
    """Words of 15 bytes whose hashes differ in the last 37 bits only."""
    # The last 7 bytes make the second factor a number below 2**8 times 2**56: the product with
    # numbers that differ by multiples of 2**8 has the same low half, and nearly the same high one.
    tail = (PI_1 & (1 << 56) - 1).to_bytes(7, "little")
    heads = product(range(97, 123), repeat=4)
    return [b"a" + bytes(head) + b"bcd" + tail for head, _ in zip(heads, range(n), strict=False)]


def long_collisions(n: int) -> list[bytes]:
    """Words of one hash: the second factor of their first 16 bytes is 0."""
    middle = PI_1.to_bytes(8, "little")
    return [b"%08d" % i + middle + b" and a common end" for i in range(n)]


@pytest.mark.parametrize("make", [short_collisions, long_collisions])
def test_colliding_words_take_no_longer(make: Callable[[int], list[bytes]]) -> None:
    """Quadratic time would be a thousand times as much."""
    n = 40_000
    words = make(n)
    assert len(set(words)) == n
    others = [bytes(word[i * 7 % len(word)] ^ i & 1 for i in range(len(word))) for word in words]
    seconds = []
    for several in (others, words):
        begin = perf_counter()
        doubled = Words.combine([(Words.from_counts(Counter(several)), 2)])
        seconds.append(perf_counter() - begin)
        assert doubled.to_dict() == {word: 2 * k for word, k in Counter(several).items()}
    assert seconds[1] < 10 * seconds[0] + 1


def test_texts_of_colliding_words_are_counted_and_encoded_at_once() -> None:
    """On several threads, in order, and in the cache of the encoder."""
    numbers = np.random.default_rng(0).integers(97, 123, (1 << 19, 12), np.uint8)
    keys = np.zeros((len(numbers), 16), np.uint8)
    keys[:, 0], keys[:, 1:13], keys[:, 15] = 32, numbers, 13
    halves = keys.view("<u8")
    words = [row[:13].tobytes() for row in keys[_hashes(halves) >> np.uint64(58) == 5]]
    assert len({known_hash(word) >> 58 for word in words[:100]}) == 1
    text = b"".join(words)
    counted = bpetok.count_words_from_iterator([text, text], n_threads=2)
    assert counted.to_dict() == dict.fromkeys(words, 2)
    assert [word for word, _ in counted] == sorted(words, key=known_hash)
    table = WordTable(SpecialTokens([]), in_order=True)
    assert table.count(text, np.array([len(text)])) == -1
    ids, _, counts = table.words_in_order()
    assert ids.astype(np.uint8).tobytes() == text
    assert counts.tolist() == [1] * len(words)
    begin = perf_counter()
    tok = bpetok.Tokenizer(merges=[(97, 98)], pattern="gpt2")
    assert tok.encode(text.decode()) == tok.encode(text.decode())
    assert perf_counter() - begin < 5


def _hashes(halves: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Known hashes of the keys of words, 64-bit numbers low and high."""
    low, high = halves[:, 0] ^ np.uint64(PI_0), halves[:, 1] ^ np.uint64(PI_1)
    mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    a0, a1, b0, b1 = low & mask, low >> half, high & mask, high >> half
    middle = a1 * b0 + (a0 * b0 >> half)
    middle2 = a0 * b1 + (middle & mask)
    hashes: NDArray[np.uint64] = (low * high) ^ (a1 * b1 + (middle >> half) + (middle2 >> half))
    return hashes


@pytest.mark.parametrize("make", [short_collisions, long_collisions])
def test_the_order_does_not_tell_that_words_have_collided(
    make: Callable[[int], list[bytes]],
) -> None:
    """A table that was attacked hands its words over as one that was not; it can be counted on."""
    words = make(3000)
    expected: list[list[tuple[bytes, int]]] = [[] for _ in range(N_PARTITIONS)]
    for begin in range(0, len(words), 100):  # so few do not collide often enough
        table = WordTable(SpecialTokens([]))
        add(table, words[begin : begin + 100])
        for p in range(N_PARTITIONS):
            expected[p] += rows(table, p)
    attacked = WordTable(SpecialTokens([]))
    for again in (words[:2000], words[1000:], words[:1000] + words[2000:]):
        add(attacked, again)
        found = [rows(attacked, p) for p in range(N_PARTITIONS)]  # which sorts the words
    assert [sorted(part) for part in found] == [sorted((w, 2) for w, _ in p) for p in expected]
    combined = Words.combine([(Words.from_counts(Counter(words)), 1)])
    singles = Words.combine((Words.from_counts({word: 1}), 1) for word in words)
    assert list(combined) == list(singles)


@pytest.mark.parametrize("n_words", [1, *range(2_300, 2_500, 16), 150_000])
def test_words_are_sorted_by_their_hashes_where_they_lie(n_words: int) -> None:
    """Those that ran over the end of the table, too; large tables give memory back meanwhile."""
    numbers = np.random.default_rng(n_words).permutation(10**6)[:n_words].tolist()
    words = [b"%d" % number for number in numbers]
    expected = sorted(words, key=known_hash)
    table = WordTable(SpecialTokens([]))
    for n in (1, 2):  # it can be counted on
        for begin in range(0, n_words, 64):  # so that it grows as when text is counted
            add(table, words[begin : begin + 64])
        table.sort()
        found = [row for p in range(N_PARTITIONS) for row in rows(table, p)]
        assert found == [(word, n) for word in expected]
    table.clear()
    assert not any(rows(table, p) for p in range(N_PARTITIONS))
    add(table, words)
    assert [row for p in range(N_PARTITIONS) for row in rows(table, p)] == [
        (word, 1) for word in expected
    ]


@pytest.mark.parametrize("n_tables", [1, 2, 3, 5])
@pytest.mark.parametrize("n_threads", [1, 4])
def test_tables_are_added_up_in_the_order_of_the_hashes(
    n_tables: int, n_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words of all lengths up to those that are held apart, by any number of threads."""
    monkeypatch.setattr("bpetok.counting.arrays.FEW_WORDS", 0)
    rng = np.random.default_rng(n_tables)
    tables = [WordTable(SpecialTokens([])) for _ in range(n_tables)]
    counted: Counter[bytes] = Counter()
    for table in tables:
        words = [bytes(rng.integers(97, 100, n).tolist()) for n in rng.integers(1, 40, 3_000)]
        words = list(dict.fromkeys(words))
        add(table, words)
        counted.update(words)
    ids, offsets, counts = combine_tables(tables, n_threads)
    data = ids.astype(np.uint8).tobytes()
    found = [data[begin:end] for begin, end in pairwise(offsets.tolist())]
    assert dict(zip(found, counts.tolist(), strict=True)) == counted
    short = [word for word in found if len(word) <= 15]
    assert short == sorted(short, key=known_hash)


def add(table: WordTable, words: list[bytes]) -> None:
    """Add each word once."""
    ends = np.cumsum([len(word) for word in words])
    table.add_words(b"".join(words), ends, np.ones(len(words), np.int64))


def rows(table: WordTable, p: int) -> list[tuple[bytes, int]]:
    """Return the words of a partition."""
    data, lengths, counts = sorted_words(table, p)
    ends = np.cumsum(lengths)
    return [
        (data[end - n : end].tobytes(), count)
        for end, n, count in zip(ends, lengths, counts.tolist(), strict=True)
    ]
