"""The examples run as they are, and say what they did."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SAID = {
    "train_bin": ["a batch: (4, 64)"],
    "chat_model": ["6144 ids, 5 of them special", "6400 ids, 36 of them special"],
    "same_files": [
        "happy-llm: 6144 ids, 5 of them special\nthe files of tokenizers are equal",
        "minimind: 6400 ids, 21 of them special\nthe files of tokenizers are equal",
    ],
    "replace_tokens": ["with 1000 ids", "rows of the model: 950 move, 50 are new"],
    "sequences": ["instructions a token", "for transformers: tokenizer.json"],
    "existing_tokenizer": ["has the id 0"],
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A few files of the standard library: enough for the vocabularies, fast to read."""
    sources = sorted(Path(subprocess.__file__).parent.glob("[a-s]*.py"))
    folder = tmp_path_factory.mktemp("corpus")
    for i in range(4):
        text = "\n".join(source.read_text("utf-8") for source in sources[i::4])
        (folder / f"{i}.txt").write_text(text, "utf-8")
    return sorted(map(str, folder.iterdir()))


@pytest.mark.skipif(not EXAMPLES.exists(), reason="the examples are in the source tree only")
@pytest.mark.parametrize("name", SAID)
def test_an_example_runs(name: str, corpus: list[str], environment: dict[str, str]) -> None:
    """In a process of its own, on a small corpus."""
    if name in ("existing_tokenizer", "same_files"):
        pytest.importorskip("tokenizers")
    files = [] if name == "sequences" else corpus  # which is no Python as a whole
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), *files],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert all(said in done.stdout for said in SAID[name])


def test_every_example_is_listed() -> None:
    """In examples/README.md and here."""
    if EXAMPLES.exists():
        names = {path.stem for path in EXAMPLES.glob("*.py")}
        assert names == set(SAID)
        listed = (EXAMPLES / "README.md").read_text("utf-8")
        assert all(f"{name}.py" in listed for name in names)
