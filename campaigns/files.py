"""Damaged files for every reader: a right result, or an error that names the file."""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path
from random import Random
from typing import ClassVar, NamedTuple

from campaigns.campaign import Campaign
from campaigns.formats import FORMATS, check_refused, check_result
from campaigns.mutation import mutated_bytes, mutated_json


class Case(NamedTuple):
    """What a file holds, which of `FORMATS` it is, and by which writer it was made."""

    kind: str
    writer: int
    data: bytes


class Files(Campaign[Case]):
    """No crash, no hang, no memory without bound, no error of Python's own."""

    case = Case
    seconds_each: ClassVar[float] = 30.0
    memory: ClassVar[int] = 4 << 30

    def __init__(self, scratch: Path) -> None:
        super().__init__(scratch)
        self._given = scratch / "given"
        self._whole: dict[str, list[bytes]] = {}
        for kind, form in FORMATS.items():
            self._whole[kind] = []
            for writer in range(len(form.writers)):
                self._write(kind, writer)
                self._whole[kind].append((self._given / form.name).read_bytes())

    def _write(self, kind: str, writer: int) -> None:
        """Write a whole file and what belongs next to it. Always in one place: some hold paths."""
        kept = self.scratch / kind / str(writer)
        if not kept.exists():
            shutil.rmtree(self._given, ignore_errors=True)
            self._given.mkdir()
            FORMATS[kind].writers[writer](self._given)
            shutil.copytree(self._given, kept)
            return
        shutil.rmtree(self._given)
        shutil.copytree(kept, self._given)

    def draw(self, random: Random) -> Case:
        """Any kind of file; of JSON, values are changed more often than bytes."""
        kind = random.choice(list(FORMATS))
        writer = random.randrange(len(FORMATS[kind].writers))
        data = self._whole[kind][writer]
        if data[:1] in (b"{", b"[") and random.random() < 0.7:
            return Case(kind, writer, mutated_json(random, data))
        return Case(kind, writer, mutated_bytes(random, data))

    def check(self, case: Case) -> None:
        """Read it."""
        form = FORMATS[case.kind]
        self._write(case.kind, case.writer)
        path = self._given / form.name
        state = path.stat()
        path.write_bytes(case.data)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        names = [file.name for file in self._given.rglob("*")]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                result = form.read(path)
            except (OSError, ValueError, MemoryError) as error:
                if not any(name in str(error) for name in names):
                    raise AssertionError(f"the message names none of {names}: {error}") from error
                check_refused(form, path, error)
                return
            check_result(form, path, result)
