"""Words of expressions, counted in processes, since threads do not help `regex`.

Several texts are shared out to several processes; each text is split by one. They are started as
``python -c`` rather than by `multiprocessing`, so that a script needs no ``if __name__ ==
"__main__"`` for them.
"""

from __future__ import annotations

import json
import pickle
import signal
import subprocess
import sys
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import accumulate
from typing import IO, Any, NoReturn

from bpetok.base.checks import shorten
from bpetok.patterns.errors import Limit, SplitError
from bpetok.patterns.expressions import compile_splitter
from bpetok.patterns.special import SpecialTokens

_START = (
    "import signal, sys, json; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "sys.path[:] = json.loads(sys.argv[1]); from bpetok.counting.processes import serve; serve()"
)


class ExpressionCounter:
    """Unique words with their counts, as one process counts them in its main thread.

    Requires: SIGALRM, where there is such a signal, raises TimeoutError, as `serve` sees to.
    """

    def __init__(
        self, expression: str, special_tokens: Sequence[bytes], unmatched: str, limit: Limit
    ) -> None:
        self._split_text = compile_splitter(expression)
        self._special_tokens = SpecialTokens(special_tokens)
        self._unmatched = unmatched
        self._limit = limit
        self._counts: Counter[str | bytes] = Counter()
        self._seen: set[bytes] = set()

    def count(self, data: bytes, ends: Sequence[int]) -> None:
        """Count the words of texts that lie one after another; each ends where `ends` says.

        Raises
        ------
        SplitError
            With the offset in `data`.
        """
        begin = 0
        for end in ends:
            for start, stop in self._segments(data, begin, end):
                try:
                    self._counts.update(self._split(data[start:stop].decode()))
                except TimeoutError:
                    raise SplitError("time", start) from None
                except SplitError as error:
                    raise SplitError(error.reason, start + error.offset) from None
            begin = end

    def _split(self, text: str) -> Sequence[str | bytes]:
        seconds = self._limit.seconds(text)
        if not hasattr(signal, "setitimer"):
            return self._split_text(text, self._unmatched, seconds)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            return self._split_text(text, self._unmatched, None)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _segments(self, data: bytes, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield where the text between special tokens begins and ends."""
        at = begin
        if self._special_tokens.tokens:
            for start, stop in self._special_tokens.spans(memoryview(data)[begin:end]):
                self._seen.add(data[begin + start : begin + stop])
                yield at, begin + start
                at = begin + stop
        yield at, end

    def result(self) -> tuple[bytes, bytes, bytes, set[bytes]]:
        """Return the words one after another, where each ends and how often it came, as int64.

        And the special tokens that were found.
        """
        words = [w if isinstance(w, bytes) else w.encode() for w in self._counts]
        ends = array("q", accumulate(map(len, words)))
        return (
            b"".join(words),
            ends.tobytes(),
            array("q", self._counts.values()).tobytes(),
            self._seen,
        )


class CounterProcess:
    """An ExpressionCounter in a process of its own. One thread at a time may use it."""

    def __init__(
        self, expression: str, special_tokens: Sequence[bytes], unmatched: str, limit: Limit
    ) -> None:
        if not sys.executable:
            raise RuntimeError(
                f"pattern {shorten(expression)} needs processes to count with, and this Python "
                "does not know its own path: set sys.executable, or take a built-in pattern"
            )
        path = [entry for entry in sys.path if isinstance(entry, str)]  # Python ignores others
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, json.dumps(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._send((expression, list(special_tokens), unmatched, limit))

    def count(self, data: bytes, ends: Sequence[int]) -> None:
        """As `ExpressionCounter.count`."""
        self._send((data, list(ends)))
        self._receive()

    def result(self) -> tuple[bytes, bytes, bytes, set[bytes]]:
        """As `ExpressionCounter.result`."""
        self._send(None)
        answer: tuple[bytes, bytes, bytes, set[bytes]] = self._receive()
        return answer

    def close(self) -> None:
        """End the process at once, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what is still in the buffer can't be sent
                    pipe.close()

    def _send(self, message: object) -> None:
        try:
            pickle.dump(message, self._process.stdin, protocol=5)  # type: ignore[arg-type]  # PIPE
            self._process.stdin.flush()  # type: ignore[union-attr]  # PIPE
        except (OSError, ValueError):
            raise self._ended() from None

    def _receive(self) -> Any:
        try:
            answer = pickle.load(self._process.stdout)  # type: ignore[arg-type]  # PIPE
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):
            raise self._ended() from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _ended(self) -> RuntimeError:
        try:
            status = self._process.wait(1)
        except subprocess.TimeoutExpired:
            status = None
        return RuntimeError(f"a process that counts words has ended, exit status {status}")


def serve() -> None:
    """Answer a CounterProcess: count what standard input has until it ends."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, _raise_timeout)
    try:
        counter = ExpressionCounter(*pickle.load(requests))
        while True:
            request = pickle.load(requests)
            _answer(answers, _perform(counter, request))
    except (EOFError, BrokenPipeError):
        pass


def _raise_timeout(*_: object) -> NoReturn:
    raise TimeoutError


def _perform(counter: ExpressionCounter, request: Any) -> object:
    try:
        if request is None:
            return counter.result()
        counter.count(*request)
        return None
    except (SplitError, MemoryError) as error:
        return error


def _answer(answers: IO[bytes], answer: object) -> None:
    pickle.dump(answer, answers, protocol=5)
    answers.flush()
