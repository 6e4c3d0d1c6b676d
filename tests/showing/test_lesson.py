"""Lessons: each step is what the naive algorithm does at that place, counts and places too."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bpetok
import reference
from bpetok.showing.lesson_page import MAX_CHANGES
from bpetok.showing.lesson_steps import LessonStep, PairCount, merged, replay
from bpetok.showing.lesson_texts import TEXTS
from bpetok.training.watch import MAX_BYTES, MAX_MERGES
from strategies import TEXT, TOY, texts

words_of_few_letters = st.dictionaries(
    st.binary(min_size=1, max_size=6).map(lambda word: bytes(b % 3 * 127 for b in word)),
    st.integers(1, 5),
    min_size=1,
    max_size=12,
)


@given(counts=words_of_few_letters)
def test_each_step_is_that_of_the_naive_algorithm(counts: dict[bytes, int]) -> None:
    """The winner, the runner-up, all changed counts, the places and the tokens left."""
    merges, merge_counts = reference.learn_merges(counts, 8)
    words = [(list(word), count) for word, count in counts.items()]
    steps = list(replay(list(counts.items()), merges))
    assert [(step.left, step.right) for step in steps] == merges
    assert [step.times for step in steps] == merge_counts
    for new_id, step in enumerate(steps, 256):
        pair = step.left, step.right
        before = reference.count_pairs(words)
        after_words = [(reference.merge_ids(ids, pair, new_id), count) for ids, count in words]
        after = reference.count_pairs(after_words)
        others = sorted((-count, other) for other, count in before.items() if other != pair)
        if others:
            assert step.runner_up == PairCount(*others[0][1], -others[0][0])
        else:
            assert step.runner_up is None
        changed = {(*p, before[p], after[p]) for p in {*before, *after} if before[p] != after[p]}
        assert {*map(tuple, step.changes)} == changed
        assert len(step.changes) == len(changed)
        assert step.n_pairs == sum(len(ids) - 1 for ids, _ in words)
        assert step.n_places == sum(
            len(old) - len(new) for (old, _), (new, _) in zip(words, after_words, strict=True)
        )
        words = after_words
        assert step.n_tokens == sum(len(ids) * count for ids, count in words)


@given(ids=st.lists(st.integers(0, 1)), pair=st.tuples(st.integers(0, 1), st.integers(0, 1)))
def test_places_are_merged_from_the_left(ids: list[int], pair: tuple[int, int]) -> None:
    """As the naive twin does it."""
    assert merged(ids, pair, 2) == reference.merge_ids(ids, pair, 2)


@given(text=texts)
def test_the_merges_are_those_of_train(text: str) -> None:
    """And the words those of the pattern."""
    lesson = bpetok.watch(f"low{text}", vocab_size=276)
    tok = bpetok.train_from_iterator([f"low{text}"], vocab_size=256 + len(lesson.steps))
    assert [[step.left, step.right] for step in lesson.steps] == tok.merge_pairs.tolist()
    words = Counter(word.encode() for word in bpetok.pretokenize(f"low{text}"))
    assert dict(lesson.words) == words
    assert lesson.rounds == tuple(sorted({*lesson.rounds}))
    assert not lesson.steps or lesson.rounds[-1] == len(lesson.steps)


def test_slots_are_where_the_words_lie() -> None:
    """Each word once, none over another, one slot between two, as docs/bpe.md draws it."""
    lesson = bpetok.watch(TEXT, vocab_size=300)
    assert sorted(slot.word for slot in lesson.slots) == list(range(len(lesson.words)))
    assert {slot.shard for slot in lesson.slots} == {0, 1}
    for one, other in pairwise(sorted(lesson.slots, key=lambda slot: (slot.shard, slot.start))):
        if one.shard == other.shard:
            assert other.start >= one.start + len(lesson.words[one.word][0]) + 1


def test_a_lesson_as_text() -> None:
    """The toy of README, with its ties."""
    lines = str(bpetok.watch(TOY, vocab_size=258)).splitlines()
    assert lines == [
        "95 bytes, 6 different words",
        "256  e + s  9 times, 86 tokens left; next was s + t, 9 times",
        "257  es + t  9 times, 77 tokens left; next was l + o, 7 times",
    ]
    assert "6 different words, 2 merges" in repr(bpetok.watch(TOY, vocab_size=258))


def test_what_is_cut_is_said() -> None:
    """At most 100,000 bytes and 300 merges, cut at a whole character."""
    text = "aß" + "é" * MAX_BYTES
    lesson = bpetok.watch(text, vocab_size=1_000, pattern="none")
    assert lesson.notes == (
        "The text was cut: 100,000 of its 200,003 bytes are used.",
        "Cut to 300 merges; 744 were requested.",
    )
    assert lesson.n_bytes == MAX_BYTES - 1
    assert len(lesson.steps) <= MAX_MERGES
    assert bpetok.watch(TOY).notes == ()
    assert bpetok.watch(text, lang="zh").notes[0].startswith("文本已截断")


def test_wrong_options_are_refused() -> None:
    """Before any work, with what to do."""
    with pytest.raises(TypeError, match="text must be a str, got PosixPath: read the file"):
        bpetok.watch(Path("notes.txt"))  # type: ignore[arg-type]  # what is tested
    with pytest.raises(ValueError, match="lang must be one of 'en', 'zh', got 'de'"):
        bpetok.watch("a", lang="de")
    with pytest.raises(ValueError, match=r"lang must be one of 'en', 'zh', got \['en'\]"):
        bpetok.watch("a", lang=["en"])  # type: ignore[arg-type]  # what is tested
    with pytest.raises(ValueError, match="vocab_size must be in 256"):
        bpetok.watch("a", vocab_size=255)
    with pytest.raises(ValueError, match="text must have at least one word"):
        bpetok.watch("")
    with pytest.raises(ValueError, match="pattern must be one of"):
        bpetok.watch("a", pattern="gpt3")


def test_each_language_has_the_same_texts() -> None:
    """With the same places to fill in."""
    for name, text in TEXTS["en"].items():
        for lang, other in TEXTS.items():
            assert name in other, lang
            fields = [sorted(set(_fields(one))) for one in (text, other[name])]
            assert fields[0] == fields[1], (lang, name)
    assert len({*map(len, TEXTS.values())}) == 1


def _fields(text: str) -> list[str]:
    return [part[0] for part in text.split("{")[1:]]


def test_the_largest_page_is_below_a_megabyte() -> None:
    """All different words, and as many changes as fit: nothing compresses this."""
    letters = "abcdefghij \n"
    state, text = 1, []
    for _ in range(MAX_BYTES):
        state = state * 1_103_515_245 + 12_345 & 0x7FFFFFFF
        text.append(letters[(state >> 16) % len(letters)])
    lesson = bpetok.watch("".join(text), vocab_size=556)
    assert len(lesson.steps) == MAX_MERGES
    assert max(len(step.changes) for step in lesson.steps) > MAX_CHANGES
    assert len(lesson.to_html().encode()) < 1_000_000


def test_a_lesson_is_saved_whole_and_shown_in_a_notebook(tmp_path: Path) -> None:
    """The page that `save` writes, in a frame."""
    lesson = bpetok.watch(TOY, lang="zh")
    lesson.save(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page == lesson.to_html()
    assert '<html lang="zh-Hans">' in page
    assert "http" not in page.replace("http-equiv", "").replace("https://github", "")
    html = lesson._repr_html_()
    assert html is not None
    assert "<iframe title=" in html
    with pytest.raises(FileNotFoundError):
        lesson.save(tmp_path / "absent" / "page.html")


def test_steps_are_named() -> None:
    """For those who read them from Python."""
    step = bpetok.watch(TOY, vocab_size=257).steps[0]
    assert isinstance(step, LessonStep)
    assert (step.left, step.right, step.times) == (*b"es", 9)
    assert step.n_places == 2  # in " newest" and " widest"
