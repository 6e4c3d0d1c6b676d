"""Text files to files of ids, as training loops read them: flat uint16 or uint32, little-endian."""

from __future__ import annotations

import json
import os
import re
import sys
import warnings
from collections.abc import Collection, Generator, Iterable
from contextlib import closing
from functools import partial
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from bpetok.base.files import (
    PendingFile,
    check_no_input,
    check_path,
    check_writable,
    is_temporary,
    keep_together,
)
from bpetok.base.id_summary import FORMAT, read_summary, summary_of
from bpetok.base.progress import Progress, reporting
from bpetok.base.records import NamedTuple
from bpetok.base.threads import Stop
from bpetok.encoding.batches import encode_flat
from bpetok.encoding.encoder import Specials
from bpetok.encoding.texts import SpecialTokenError
from bpetok.patterns.changes import check_changes
from bpetok.patterns.scan import check_utf8
from bpetok.patterns.special import SpecialTokens
from bpetok.sources.corpus import Corpus
from bpetok.sources.pieces import Chunk, Cutting, Origin, pieces_of, replacing_makes_tokens
from bpetok.sources.reading import NullTexts, ReadContext, ReadOptions, decoders_for
from bpetok.sources.segments import Segment, corpus_segments
from bpetok.sources.sharing import Readers, SharedReading

if TYPE_CHECKING:
    from bpetok.encoding.codec import Codec

MOST_SHARDS = 1_000_000
Ids: TypeAlias = np.ndarray[Any, Any]
"""Of `Tokenizer.id_dtype`."""


class IdFiles(NamedTuple):
    """What `Tokenizer.encode_files` has written.

    files : tuple of Path
        The files of ids, in order.
    summary : Path
        A JSON file that says what is in them.
    n_ids : int
        In all files together.
    dtype : str
        "uint16" or "uint32".
    """

    files: tuple[Path, ...]
    summary: Path
    n_ids: int
    dtype: str


class EncodeJob(NamedTuple):
    """What to encode and how: all that has been checked."""

    codec: Codec
    vocabulary_sha256: str
    specials: Specials
    boundaries: Collection[str]  # special tokens, at which a text may be cut in two
    takes_space: bool  # what is around a special token may belong to it: no text is cut
    eot_id: int | None
    n_threads: int
    errors: str
    reading: ReadOptions


def encode_files(
    job: EncodeJob,
    corpus: Corpus,
    output: str | os.PathLike[str],
    shard_size: int | None,
    progress: Progress,
) -> IdFiles:
    """Encode a corpus into `output` or numbered shards: `Tokenizer.encode_files`."""
    output = check_path(output)
    summary = output.with_suffix(".json")
    if summary == output:
        raise ValueError(f"output must not end in .json, where the summary is written: {output}")
    if output.suffix == ".npy":
        raise ValueError(
            f"output must not end in .npy, since ids have no header: {output}; numpy.memmap reads "
            "them, by what the summary says"
        )
    for target in (output, summary):
        check_writable(target)
        check_no_input(target, corpus.local_paths)
    earlier = _earlier_files(output, summary, sharded=shard_size is not None)
    for file in earlier:
        check_no_input(file, corpus.local_paths)
    dtype = job.codec.id_dtype
    shards = Shards(output, dtype, shard_size)
    tally = NullTexts()
    cutting = Cutting(
        SpecialTokens(name.encode() for name in job.boundaries),
        job.codec.pattern,
        whole=job.takes_space or replacing_makes_tokens(job.boundaries, job.errors),
        changes=check_changes(job.codec.normalizer, job.codec.prefix_space),
    )
    done = 0
    with reporting(progress) as report, shards, decoders_for(job.n_threads) as decoders:
        context = ReadContext(
            job.reading, cutting, job.errors, tally, job.n_threads, Stop(), decoders
        )
        segments = corpus_segments(corpus, context)
        with closing(encode_segments(job, segments, tally, context.stop)) as encoded:
            for n_bytes, ids in encoded:
                shards.append(ids)
                done += n_bytes
                report("encode", done, corpus.total)
        shards.finish(summary, _summary(job, shards, done), earlier)
    tally.warn(stacklevel=4)  # last, since a warning may be an error
    return IdFiles(tuple(shards.paths), summary, shards.n_ids, dtype.name)


def _summary(job: EncodeJob, shards: Shards, n_bytes: int) -> dict[str, object]:
    return {
        "format": FORMAT,
        "dtype": job.codec.id_dtype.name,
        "byte_order": "little",
        "n_ids": shards.n_ids,
        "n_bytes": n_bytes,
        "eot_id": job.eot_id,
        "vocab_size": job.codec.vocab_size,
        "vocabulary_sha256": job.vocabulary_sha256,
        "files": [
            {"name": path.name, "n_ids": n}
            for path, n in zip(shards.paths, shards.sizes, strict=True)
        ],
    }


def _earlier_files(output: Path, summary: Path, *, sharded: bool) -> set[Path]:
    """Return the files that an earlier run has written, which a new one replaces.

    Raises
    ------
    ValueError
        If there is something else in the place of the summary, or a file that has the name of a
        shard but that no summary tells of: who reads all shards would read it as well.
    """
    names: set[str] = set()
    if summary.exists():
        content = _read_summary(summary)
        if content is None:
            raise ValueError(
                f"{summary} exists and is no summary of ids: move it away, or choose another output"
            )
        names = {*content.sizes} | content.temporary
    shard_name = re.compile(rf"{re.escape(output.stem)}_\d{{6}}{re.escape(output.suffix)}")
    shards = {name for file in output.parent.iterdir() if shard_name.fullmatch(name := file.name)}
    foreign = sorted(shards - names)
    if sharded and foreign:
        raise ValueError(
            f"{output.with_name(foreign[0])} exists, and {summary} does not say that an earlier "
            "run wrote it: move it away, or choose another output"
        )
    own = shards | {output.name} | set(filter(is_temporary, names))
    return {path for name in names & own if (path := output.with_name(name)).exists()}


class Summary(NamedTuple):
    """What a summary says.

    sizes : dict of str to int
        The number of ids of each file, by its name; -1 where the run was killed, see below.
    temporary : set of str
        Of files that a run has left which was killed while it gave its files their names.
    dtype : str or None
        None if there was such a run: some files may be old ones, some new ones.
    vocabulary_sha256 : str
        Of the tokenizer that made the ids, empty if there was such a run.
    """

    sizes: dict[str, int]
    temporary: set[str]
    dtype: str | None
    vocabulary_sha256: str


def _interim_summary(names: Iterable[str], temporary: Iterable[str]) -> bytes:
    """Return what the summary is while files get their names; a finished one has no "complete"."""
    files = [{"name": name} for name in sorted(names)]
    content = {"format": FORMAT, "complete": False, "files": files, "temporary": [*temporary]}
    return (json.dumps(content, indent=2) + "\n").encode()


def _read_summary(path: Path) -> Summary | None:
    """Return what a summary says, None if the file is no summary."""
    try:
        content = read_summary(path)
        if content is None:
            return None
        is_whole = content.get("complete", True)
        dtype = content["dtype"] if is_whole else None
        if dtype in ("uint16", "uint32") or not is_whole:
            sizes = {
                str(file["name"]): index(file["n_ids"]) if is_whole else -1
                for file in content["files"]
            }
            temporary = set(map(str, content.get("temporary", ())))
            return Summary(sizes, temporary, dtype, str(content.get("vocabulary_sha256", "")))
    except (ValueError, TypeError, LookupError, AttributeError):
        pass
    return None


def map_ids(path: Path, vocabulary_sha256: str) -> Ids:
    """Map a file of ids that `encode_files` has written into memory.

    Warns if its summary says that another tokenizer made them than the one of this vocabulary.

    Raises
    ------
    OSError
        If it or its summary can't be read.
    ValueError
        If there is no summary, or that of a run that was killed; or if the file has not as many ids
        as its summary says.
    """
    summary = summary_of(path)
    content = _read_summary(summary) if summary.exists() else None
    if content is None:
        what = "is no summary of ids" if summary.exists() else "does not exist"
        raise ValueError(f"{path}: {summary.name}, which says what is in it, {what}")
    if content.dtype is None:
        raise ValueError(
            f"{path}: {summary.name} says that the run that wrote it was killed before its files "
            "were complete: encode again"
        )
    dtype = np.dtype(content.dtype).newbyteorder("<")
    n_bytes = path.stat().st_size
    if n_bytes % dtype.itemsize:
        raise ValueError(f"{path}: must hold ids of {dtype.itemsize} bytes, has {n_bytes} bytes")
    n_ids = n_bytes // dtype.itemsize
    if (expected := content.sizes.get(path.name, n_ids)) != n_ids:  # one that was renamed is taken
        raise ValueError(
            f"{path}: must hold {expected} ids, as {summary.name} says, has {n_ids}: it was cut, "
            "or one of both is of another run"
        )
    if content.vocabulary_sha256 not in ("", vocabulary_sha256):
        warnings.warn(
            f"{summary} says that its ids were not made by this tokenizer: the text may be wrong",
            stacklevel=2,
        )
    return np.memmap(path, dtype, "r") if n_bytes else np.empty(0, dtype)  # no map of nothing


def encode_segments(
    job: EncodeJob, segments: Iterable[Segment], null_texts: NullTexts, stop: Stop
) -> Generator[tuple[int, Ids], None, None]:
    """Yield the number of bytes and the ids of each chunk, in order; `eot_id` after each text.

    `stop` is set when something fails, for those that read. To be closed where it is not read to
    its end.
    """
    eot = np.array([] if job.eot_id is None else [job.eot_id], dtype=job.codec.id_dtype)
    reading = SharedReading(
        lambda chunk: (len(chunk.data), _encode_chunk(job, chunk, eot)),
        job.n_threads,
        Readers(job.n_threads, job.reading.n_remote(job.n_threads)),
        stop,
        size_of=lambda result: result[1].nbytes,
    )
    any_text = False
    with closing(reading.results(segments, null_texts)) as results:
        for n_bytes, ids in results:
            # A text ends where the next one begins, whose thread does not know whether it is first.
            yield n_bytes, ids if any_text else ids[len(eot) :]
            any_text = any_text or len(ids) > 0
    if any_text:
        yield 0, eot


def _encode_chunk(job: EncodeJob, chunk: Chunk, eot: Ids) -> Ids:
    """Encode pieces, with `eot` before each that begins a text."""
    datas = pieces_of(chunk)
    try:
        ids, offsets = encode_flat(job.codec._encoder, datas, 1, job.specials, eot.dtype)
    except ValueError:  # something is wrong in one: it is said where, or replaced
        parts = list(map(partial(_encode_piece, job), datas, chunk.origins))
        ids, offsets = np.concatenate(parts), np.cumsum([0, *map(len, parts)])
    if len(eot) == 0:
        return ids
    begins = [origin.offset == 0 for origin in chunk.origins]
    return np.insert(ids, offsets[:-1][begins], eot)


def _encode_piece(job: EncodeJob, data: bytes, origin: Origin) -> Ids:
    try:
        return job.codec._encode_specials_to_numpy(data, job.specials)
    except SpecialTokenError as error:
        at = origin.offset + len(data.decode()[: error.index].encode())
        raise SpecialTokenError(error.token, at, str(origin.name), "byte") from None
    except ValueError:
        at = check_utf8(data)
        if at < 0:
            raise
        if job.errors == "strict":
            raise ValueError(
                f"{origin.name}: must be UTF-8, but byte {origin.offset + at} is not; "
                "errors='replace' replaces what is not"
            ) from None
    return _encode_piece(job, data.decode(errors="replace").encode(), origin)


class Shards:
    """Files of at most `shard_size` ids each, under temporary names until `finish`."""

    def __init__(self, output: Path, dtype: np.dtype[Any], shard_size: int | None) -> None:
        self.output = output
        self.dtype = dtype
        self.shard_size = shard_size
        self.paths: list[Path] = []
        self.sizes: list[int] = []
        self.n_ids = 0
        self._pending: list[PendingFile] = []

    def append(self, ids: Ids) -> None:
        """Write ids, into new files where one is full."""
        if sys.byteorder == "big":
            ids = ids.byteswap()
        self.n_ids += len(ids)
        while len(ids):
            if not self.sizes or self.sizes[-1] == self.shard_size:
                self._open()
            n = len(ids)
            if self.shard_size is not None:
                n = min(n, self.shard_size - self.sizes[-1])
            self._pending[-1].write(ids[:n].data.cast("B"))
            self.sizes[-1] += n
            ids = ids[n:]

    def _open(self) -> None:
        if self._pending:
            self._pending[-1].close()
        path = self.output
        if self.shard_size is not None:
            if len(self.paths) == MOST_SHARDS:
                raise ValueError(
                    f"shard_size: {self.shard_size} makes more than {MOST_SHARDS} files"
                )
            path = path.with_name(f"{path.stem}_{len(self.paths):06}{path.suffix}")
        self._pending.append(PendingFile(path))
        self.paths.append(path)
        self.sizes.append(0)

    def finish(self, summary: Path, content: dict[str, Any], earlier: set[Path]) -> None:
        """Give all files their names, and the summary: all of them or none.

        Those of an earlier run are replaced or removed together with its summary. Meanwhile there
        is an interim one, so that a process that is killed leaves no file that no summary lists.
        """
        self._pending.append(PendingFile(summary))
        self._pending[-1].write((json.dumps(content, indent=2) + "\n").encode())
        names = {path.name for path in (*self.paths, *earlier) if not is_temporary(path.name)}
        keep_together(
            self._pending,
            sorted(earlier - set(self.paths)),
            meanwhile=lambda temporary: _interim_summary(names, temporary),
        )

    def __enter__(self) -> Shards:
        if self.shard_size is None:
            self._open()
        return self

    def __exit__(self, *error: object) -> None:
        for file in self._pending:
            file.discard()
