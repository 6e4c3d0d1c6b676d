"""The Python blocks of README and of docs/ run as printed."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("name", "n_blocks", "made"),
    [("README.md", 3, "tok.json"), ("docs/scale.md", 1, "counts.parquet")],
)
def test_python_blocks_run(
    name: str, n_blocks: int, made: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All in one session, in a folder that has a corpus, as a reader would type them."""
    (tmp_path / "corpus").mkdir()
    sentence = "hello world, one two three {}: what a day it is, isn't it? <|endoftext|>"
    text = "".join(sentence.format(f"{i:x}{i * i:o}") for i in range(40_000))
    (tmp_path / "corpus" / "a.txt").write_text(text, encoding="utf-8")
    (tmp_path / "chats").mkdir()
    (tmp_path / "chats" / "a.jsonl").write_text('{"messages": [{"content": "hello you"}]}')
    monkeypatch.chdir(tmp_path)
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == n_blocks
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)  # our own documents, not input
    assert (tmp_path / made).is_file()
