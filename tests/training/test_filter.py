"""`merge_filter` in every way to train: what is learned, what is saved, what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bpetok
from bpetok import MergeFilter
from bpetok.patterns.errors import Limit
from strategies import TEXT

UTF8 = MergeFilter(utf8=True)


def whole(tok: bpetok.Tokenizer) -> bool:
    """Tell whether each merged token is whole characters, or the beginning of one character."""
    for left, right in tok.merges:
        made = left + right
        begun = len(made) < 4 and made[0] >= 0xC0 and all(0x80 <= byte < 0xC0 for byte in made[1:])
        if made.decode("utf-8", "ignore").encode() != made and not begun:
            return False
    return True


def test_all_ways_to_train_learn_the_same(tmp_path: Path) -> None:
    """From files, texts and words, and on from a tokenizer."""
    text = TEXT * 3
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    files = bpetok.train(
        tmp_path / "a.txt", vocab_size=420, merge_filter=UTF8, checkpoint=tmp_path / "run"
    )
    assert whole(files)
    assert not whole(bpetok.train(tmp_path / "a.txt", vocab_size=420))
    texts = bpetok.train_from_iterator([text], vocab_size=420, merge_filter=UTF8)
    words = bpetok.train_from_words(
        bpetok.count_words(tmp_path / "a.txt"), vocab_size=420, merge_filter=UTF8
    )
    first = bpetok.train_from_iterator([text], vocab_size=300, merge_filter=UTF8)
    more = bpetok.train_from_iterator([text], vocab_size=420, merge_filter=UTF8, initial=first)
    assert files == texts == words == more
    again = bpetok.train(
        tmp_path / "a.txt", vocab_size=420, merge_filter=UTF8, checkpoint=tmp_path / "run"
    )
    assert again == files
    with pytest.raises(ValueError, match="merge_filter"):
        bpetok.train(tmp_path / "a.txt", vocab_size=420, checkpoint=tmp_path / "run")


def test_readers_of_the_result_need_not_know() -> None:
    """Saved and loaded, and in Hugging Face's library, ids are the same."""
    rules = MergeFilter(forbid=r"\p{L}\p{N}", final=(" the",), max_words=1)
    tok = bpetok.train_from_iterator([TEXT * 3], vocab_size=400, merge_filter=rules)
    assert tok.to_tokenizers().encode(TEXT).ids == tok.encode(TEXT)
    assert not [left for left, right in tok.merges if b" the" in (left, right)]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"merge_filter": "utf8"},
            TypeError,
            "must be a bpetok.MergeFilter, got 'utf8'",
        ),
        (
            {"merge_filter": UTF8, "compat": "huggingface"},
            ValueError,
            "merge_filter must not be given with compat='huggingface'",
        ),
        ({"merge_filter": MergeFilter(max_words=0)}, ValueError, "max_words must be in"),
        (
            {"merge_filter": MergeFilter(final=("a", ""))},
            ValueError,
            r"final\[1\] must not be empty",
        ),
        (
            {"merge_filter": MergeFilter(utf8="no")},  # type: ignore[arg-type]  # what is tested
            TypeError,
            "merge_filter.utf8 must be a bool, got 'no'",
        ),
        (
            {"merge_filter": MergeFilter(forbid="(?:a{1000}){1000}")},
            ValueError,
            "forbid .* is too large: with its repeats written out",
        ),
        (
            {"merge_filter": MergeFilter(forbid="a" * 200_000)},
            ValueError,
            "forbid 'aaaa.{1,300} is too large",
        ),
        ({"merge_filter": MergeFilter(forbid="a|(?R)")}, ValueError, "forbid .* no end in"),
    ],
)
def test_what_does_not_go_is_refused(
    options: dict[str, object], error: type[Exception], message: str
) -> None:
    """Before a text is taken."""
    with pytest.raises(error, match=message):
        bpetok.train_from_iterator(iter(()), vocab_size=300, **options)  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize("kind", [list, set, iter])
def test_final_tokens_may_be_any_iterable(kind: Callable[[list[str]], Any]) -> None:
    """Also one that can be read only once."""
    text = "tht thx thy thz " * 9
    rules = MergeFilter(final=kind(["th", "zz"]))
    tok = bpetok.train_from_iterator([text], vocab_size=257, merge_filter=rules)
    assert tok.merges == [(b"t", b"h")]
    with pytest.warns(UserWarning, match="vocab_size is 257"):
        assert tok == bpetok.train_from_iterator(
            [text], vocab_size=260, merge_filter=MergeFilter(final=kind(["th", "zz"]))
        )


def test_an_expression_that_backtracks_without_end_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The message says which token; nothing is learned."""
    monkeypatch.setattr("bpetok.learning.forbidden.LIMIT", Limit(0.01, 0))
    rules = MergeFilter(forbid=r"^(?:a|aa)+$(?<=bb)")
    with pytest.raises(
        TimeoutError, match=r"forbid .* takes more than 0 s for a token of \d+ char"
    ):
        bpetok.train_from_words({b"a" * 96: 1}, vocab_size=270, merge_filter=rules)
