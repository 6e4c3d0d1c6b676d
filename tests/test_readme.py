"""README's Python blocks run as printed."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


def test_python_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All in one session, in a folder that has a corpus, as a reader would type them."""
    (tmp_path / "corpus").mkdir()
    sentence = "hello world, one two three {}: what a day it is, isn't it? <|endoftext|>"
    text = "".join(sentence.format(f"{i:x}{i * i:o}") for i in range(40_000))
    (tmp_path / "corpus" / "a.txt").write_text(text, encoding="utf-8")
    (tmp_path / "chats").mkdir()
    (tmp_path / "chats" / "a.jsonl").write_text('{"messages": [{"content": "hello you"}]}')
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 3
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)  # our own README, not input
    assert (tmp_path / "tok.json").is_file()
