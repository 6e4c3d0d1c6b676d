"""Some of the text of files, and how the number of its different words grows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import log2
from time import perf_counter, thread_time
from typing import TYPE_CHECKING

import numpy as np

from bpetok.base.files import is_url
from bpetok.base.records import NamedTuple
from bpetok.base.threads import map_threads
from bpetok.counting.arrays import WordArrays, combine_tables
from bpetok.counting.options import CountOptions
from bpetok.counting.sharing import count_chunk
from bpetok.counting.word_table import WordTable
from bpetok.patterns.builtin import scanner_of
from bpetok.sources.files import file_state
from bpetok.sources.pieces import Chunk, chunks_of
from bpetok.sources.reading import ReadContext
from bpetok.sources.sampling import BLOCK_SIZE, FileSample, sample_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_FILES = 64


class Sample(NamedTuple):
    """Texts of some files.

    n_bytes : float
        About how many all files have.
    seconds, cpu_seconds : float
        What reading the sample took: by the clock, and of the processor.
    """

    chunks: list[Chunk]
    n_bytes: float
    seconds: float
    cpu_seconds: float


def take_sample(paths: list[str], context: ReadContext, size: int) -> Sample:
    """Return chunks of files chosen at random; some files are read at a time.

    Pieces of one file stay together and in order; the rest is in random order: in code, say, text
    repeats the words of the text just before, so that shuffled chunks of it would have
    fewer and fewer new ones.
    """
    begin = perf_counter()
    random = np.random.default_rng(context.options.seed)
    chosen = sorted(random.permutation(len(paths))[:MOST_FILES].tolist())
    is_remote = any(map(is_url, paths))
    n_remote = context.options.n_remote(context.n_threads)
    states = map_threads(file_state, paths, n_remote if is_remote else 1)
    file_sizes = [size for size, _ in states]

    def read(number: int) -> tuple[FileSample, float]:
        before = thread_time()
        # Of its own: files are read in no order. One file has the places that it always had.
        own = np.random.default_rng([context.options.seed, number])
        places = random if len(chosen) == 1 else own
        most = max(size // len(chosen), BLOCK_SIZE)
        return sample_file(paths[number], most, context, places), thread_time() - before

    n_readers = n_remote if is_remote else context.n_threads
    found = list(map_threads(read, chosen, n_readers, context.stop))
    samples = [sample for sample, _ in found]
    chunk_size = context.cutting.chunk_size
    blocks = [list(chunks_of(block, chunk_size)) for sample in samples for block in sample.blocks]
    chosen_size = sum(file_sizes[i] for i in chosen)
    n_bytes = sum(sample.n_bytes for sample in samples)
    if len(chosen) < len(paths):
        n_bytes *= sum(file_sizes) / max(1, chosen_size)
    if len(blocks) == 1:  # which may be one chunk, and so one point of the curve of growth
        chunks = [part for chunk in blocks[0] for part in _parts(chunk)]
    else:
        order = random.permutation(len(blocks)).tolist()
        chunks = [chunk for i in order for chunk in blocks[i]]
    return Sample(chunks, n_bytes, perf_counter() - begin, sum(seconds for _, seconds in found))


def _parts(chunk: Chunk) -> Iterator[Chunk]:
    """Yield the texts of a chunk, about BLOCK_SIZE bytes at a time."""
    n_texts = len(chunk.ends)
    lasts = np.searchsorted(chunk.ends, np.arange(BLOCK_SIZE, len(chunk.data), BLOCK_SIZE)) + 1
    for first, last in pairwise(np.unique([0, *np.minimum(lasts, n_texts), n_texts]).tolist()):
        begin = int(chunk.ends[first - 1]) if first else 0
        ends = chunk.ends[first:last] - begin
        data = memoryview(chunk.data)[begin : begin + int(ends[-1])]
        yield Chunk(data, ends, chunk.origins[first:last])


class Growth(NamedTuple):
    """What was seen while a sample was counted on one thread.

    n_bytes, n_unique : int64 arrays, shape (n_chunks + 1,)
        Text counted, and different words in it, after each chunk; at first 0.
    words : WordArrays
        The different words.
    seconds : float
    """

    n_bytes: NDArray[np.int64]
    n_unique: NDArray[np.int64]
    words: WordArrays
    seconds: float


def count_sample(chunks: list[Chunk], options: CountOptions) -> Growth:
    """Count chunks. Requires: a pattern that has a scanner."""
    scanner = scanner_of(options.pattern, options.unmatched)
    assert scanner is not None
    table = WordTable(options.cutting.special_tokens, scanner)
    n_unique = [0]
    begin = perf_counter()
    for chunk in chunks:
        count_chunk(table.count, chunk, options)
        n_unique.append(len(table))
    seconds = perf_counter() - begin
    sizes = np.cumsum([0, *(len(chunk.data) for chunk in chunks)])
    return Growth(sizes, np.array(n_unique), combine_tables([table]), seconds)


def fit_growth(growth: Growth) -> tuple[float, float]:
    """Return the exponent of growth, and the factor by which half of the sample was wrong."""
    quarter, half, whole = np.interp(
        growth.n_bytes[-1] * np.array([0.25, 0.5, 1]), growth.n_bytes, growth.n_unique
    )
    before, after = log2(half / quarter), log2(whole / half)
    return after, 2 ** abs(after - before)
