"""The Python blocks of README and of docs/ run and print what the text block after them says."""

from pathlib import Path

import pytest

from documents import DOCUMENTS, run_blocks

MADE = {"README.md": "tok.json", "scale.md": "counts.parquet"}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_python_blocks_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All in one session, in a folder that has a corpus, as a reader would type them."""
    (tmp_path / "corpus").mkdir()
    sentence = "hello world, one two three {}: what a day it is, isn't it? <|endoftext|>"
    text = "".join(sentence.format(f"{i:x}{i * i:o}") for i in range(40_000))
    (tmp_path / "corpus" / "a.txt").write_text(text, encoding="utf-8")
    (tmp_path / "chats").mkdir()
    (tmp_path / "chats" / "a.jsonl").write_text('{"messages": [{"content": "hello you"}]}')
    monkeypatch.chdir(tmp_path)
    results = run_blocks(path)
    assert results
    for expected, printed in results:
        assert printed == expected
    assert path.name not in MADE or (tmp_path / MADE[path.name]).is_file()
