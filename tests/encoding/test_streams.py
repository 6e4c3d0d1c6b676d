"""Ids as a model makes them to text: what comes after an error."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpetok import Tokenizer

END = 256
TOK = Tokenizer(merges=[], special_tokens={"<|end|>": END})


def feed(ids: list[int], errors: str = "strict") -> list[str]:
    """Feed ids one by one; an error is "!"."""
    stream = TOK.decode_stream(errors=errors)
    texts = []
    for token_id in ids:
        try:
            texts.append(stream.feed(token_id))
        except UnicodeDecodeError:
            texts.append("!")
    return texts


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([0xED, 0xA0, 0xBD, 97, 97], ["", "", "!", "a", "a"]),
        ([0xF4, 0x90, 97, 97], ["", "!", "a", "a"]),
        ([0xE2, END, 0x82, 0xAC, 97], ["", "!", "!", "!", "a"]),
        ([0xFF, 97], ["!", "a"]),
        ([0xE2, 0x82, 0xAC, END], ["", "", "€", "<|end|>"]),
    ],
)
def test_a_strict_stream_begins_anew_after_an_error(ids: list[int], expected: list[str]) -> None:
    """It is neither stuck, nor joins bytes on both sides of what was wrong."""
    assert feed(ids) == expected


def test_the_error_has_the_bytes_that_are_dropped() -> None:
    """Those that waited, and those of the call."""
    stream = TOK.decode_stream(errors="strict")
    assert stream.feed(0xE2) == ""
    with pytest.raises(UnicodeDecodeError) as caught:
        stream.feed([97, END])
    assert caught.value.object == b"\xe2a<|end|>"
    assert stream.feed(98) == "b"


@given(st.lists(st.sampled_from([97, 0xC3, 0xA9, 0xE2, 0x82, 0xAC, 0xED, 0xA0, 0xF0, 0xFF, END])))
def test_what_comes_after_an_error_is_the_text_of_what_comes_after(ids: list[int]) -> None:
    """Whatever came before."""
    texts = feed(ids)
    after = max((i + 1 for i, text in enumerate(texts) if text == "!"), default=0)
    assert "".join(texts[after:]) == codecs.getincrementaldecoder("utf-8")().decode(
        TOK.decode_bytes(ids[after:])
    )


@given(st.lists(st.integers(0, END)), st.sampled_from(["replace", "ignore", "backslashreplace"]))
def test_a_stream_gives_the_text_of_all(ids: list[int], errors: str) -> None:
    """With every other way with errors."""
    stream = TOK.decode_stream(errors=errors)
    text = "".join(map(stream.feed, ids)) + stream.finish()
    assert text == TOK.decode(ids, errors)
