""".model and .vocab of minbpe: equal ids there and back, or a refusal with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

import reference
from bpetok.patterns.builtin import GPT2
from bpetok.tokenizer import Tokenizer
from samples import MERGES


def load_as_minbpe(path: Path) -> tuple[str, dict[str, int], dict[tuple[int, int], int]]:
    """As minbpe's base.py reads a model: pattern, special tokens, merges."""
    merges, special_tokens, idx = {}, {}, 256
    with path.open(encoding="utf-8") as f:
        assert f.readline().strip() == "minbpe v1"
        pattern = f.readline().strip()
        for _ in range(int(f.readline().strip())):
            special, special_idx = f.readline().strip().split()
            special_tokens[special] = int(special_idx)
        for line in f:
            idx1, idx2 = map(int, line.split())
            merges[(idx1, idx2)] = idx
            idx += 1
    return pattern, special_tokens, merges


def test_minbpe_files_say_all_there_is_to_say(tmp_path: Path) -> None:
    """Read as minbpe does, and back here; the vocabulary is for people."""
    tok = Tokenizer(merges=MERGES, special_tokens=["<|end|>", "Ωδ"])
    tok.save_minbpe(tmp_path / "tok")
    pattern, special_tokens, merges = load_as_minbpe(tmp_path / "tok.model")
    assert pattern == GPT2
    assert special_tokens == tok.special_tokens
    assert list(merges) == MERGES
    assert Tokenizer.from_minbpe(tmp_path / "tok.model") == tok
    rows = (tmp_path / "tok.vocab").read_text(encoding="utf-8").splitlines()
    assert "[a] 97" in rows
    assert "[\\u000a] 10" in rows
    assert "[Ωδ] 407" in rows
    tok = Tokenizer(merges=[], special_tokens=["<a>", "<b>", "<a>b"])
    tok.save_minbpe(tmp_path / "tok")
    names = list(load_as_minbpe(tmp_path / "tok.model")[1])
    assert names.index("<a>b") < names.index("<a>")  # the first that fits is taken
    assert Tokenizer.from_minbpe(tmp_path / "tok.model") == tok
    with pytest.raises(ValueError, match="'a b' holds white space"):
        Tokenizer(merges=[], special_tokens=["a b"]).save_minbpe(tmp_path / "no")


def test_a_basic_minbpe_model_has_no_words(tmp_path: Path) -> None:
    """As minbpe's basic.py writes and encodes: one pattern line that is empty, no split at all."""
    text = "the the  the\n\nthe the"
    merges, _ = reference.learn_merges({text.encode(): 1}, 9)
    lines = ["minbpe v1", "", "0", *(f"{left} {right}" for left, right in merges)]
    (tmp_path / "basic.model").write_text("\n".join(lines) + "\n")
    tok = Tokenizer.from_minbpe(tmp_path / "basic.model")
    assert any(b"e " in token or b" t" in token for token in tok.vocab)
    for some in (text, "the\nthe", "  the<|end|> thé"):
        assert tok.encode(some) == reference.encode_word(some.encode(), merges)
    tok.save_minbpe(tmp_path / "regex")
    assert Tokenizer.from_minbpe(tmp_path / "regex.model") == tok


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "line 1 must be 'minbpe v1'"),
        (b"minbpe v1\n", "line 2: the file ends|line 3"),
        (b"minbpe v1\n\n1\n<s> 256\n", "line 3: 1 special tokens, .* a BasicTokenizer's file"),
        (b"minbpe v1\nx+\n0\n", "pattern must be one of"),
        (b"minbpe v1\ngpt2\n0\n", "pattern must be one of .* got 'gpt2'"),
        (b"minbpe v1\nx+\n999999\n", "line 3: 999999 special tokens"),
        (b"minbpe v1\nx+\nmany\n", "line 3: 'many' is not a number"),
        (b"minbpe v1\nx+\n1\n<s>\n", "line 4: '<s>' is not a new special token"),
        (f"minbpe v1\n{GPT2}\n0\n97 300\n".encode(), r"merges\[0\] must join ids"),
        (f"minbpe v1\n{GPT2}\n0\n97 98 99\n".encode(), "line 4: '97 98 99' is not a pair"),
        (f"minbpe v1\n{GPT2}\n0\n97 -1\n".encode(), "line 4"),
        (f"minbpe v1\n{GPT2}\n0\n97 98\n99 10".encode(), "line 5: the file is cut off"),
        (f"minbpe v1\n{GPT2}\n1\n<s>\t 256\t3\n".encode(), "line 4: .* is not a new special"),
        (
            f"minbpe v1\n{GPT2}\n2\n<a> 256\n<a>b 257\n".encode(),
            "line 5: the special token '<a>b' begins with '<a>', which comes first",
        ),
        (f"minbpe v1\n{GPT2}\n1\n<s> 97\n".encode(), "'<s>' is 97, which another token has"),
        (b"minbpe v1\n\xff", "byte 10 is not UTF-8"),
    ],
)
def test_a_damaged_minbpe_model_is_refused(data: bytes, message: str, tmp_path: Path) -> None:
    """By name and line."""
    (tmp_path / "tok.model").write_bytes(data)
    with pytest.raises(ValueError, match=f"tok.model: .*({message})"):
        Tokenizer.from_minbpe(tmp_path / "tok.model")
