"""The documents: what they link to exists. Their blocks run in `test_readme.py`."""

import ast
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

import bpetok
import bpetok.distributed
from bpetok.cli import main
from bpetok.showing.measures import SourceReport, TokenizerReport
from bpetok.showing.steps import ExplainedWord, MergeStep
from documents import BLOCK, DOCUMENTS, OTHERS, ROOT, TRANSLATED
from strategies import TOY

LINK = re.compile(r"\[([^][]*)\]\((?!https?:|#)([^)#]+)\)")


def outline(path: Path) -> dict[str, Sequence[object]]:
    """Return what a document has, whatever its language."""
    text = path.read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    return {
        "headings": [len(marks) for marks in re.findall(r"^(#+) ", prose, re.MULTILINE)],
        "items": [len(re.findall(rf"^{mark}", prose, re.MULTILINE)) for mark in (r"\* ", r"\|")],
        "figures": [Path(target).name for target in re.findall(r"!\[[^]]*\]\(([^)]+)\)", prose)],
        "links": sorted(
            Path(target).name
            for _, target in LINK.findall(re.sub(r"!\[[^]]*\]\([^)]+\)", "", prose))
        ),
        "code": [_without_comments(code) for code, _ in BLOCK.findall(text)],
        "printed": [printed for _, printed in BLOCK.findall(text)],
    }


def _without_comments(code: str) -> str:
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body[0] = ast.Pass()
    return ast.unparse(tree)


@pytest.mark.parametrize(("chinese", "english"), TRANSLATED.items(), ids=lambda path: path.name)
def test_both_languages_say_the_same(chinese: Path, english: Path) -> None:
    """Headings, items, rows, figures, links and code, in the same order; comments may differ."""
    ours, theirs = outline(chinese), outline(english)
    for what in ours:
        assert ours[what] == theirs[what], what


@pytest.mark.parametrize(
    "path", [*DOCUMENTS, *OTHERS], ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_links_lead_somewhere(path: Path) -> None:
    """To files that are there; a link that is named like code, to a file that defines it."""
    text = path.read_text(encoding="utf-8")
    for picture in re.findall(r'(?:src|srcset)="([^"]+)"', text):
        assert (path.parent / picture).exists(), picture
    links = LINK.findall(text)
    for label, target in links:
        linked = path.parent / target
        assert linked.exists(), target
        name = label.strip("`")
        if label.startswith("`") and name.isidentifier():
            source = linked.read_text(encoding="utf-8")
            assert re.search(
                rf"^ *(c?p?def|class|cdef .*) .*\b{name}\b|^{name}\b", source, re.MULTILINE
            ), f"{target} does not define {name}"


def test_the_example_is_the_same_everywhere() -> None:
    """README, docs and tests."""
    for name in ("README.md", "docs/bpe.md"):
        source = re.search(r'"low " \* 5[^\n\]]*', (ROOT / name).read_text(encoding="utf-8"))
        assert source
        assert eval(source[0]) == TOY  # our own documents, not input


def public_names() -> list[str]:
    """Whatever a user can reach without an underscore."""
    names = {*bpetok.__all__, *bpetok.distributed.__all__, *bpetok.patterns.names()}
    for kind in (
        bpetok.Tokenizer,
        bpetok.Words,
        bpetok.TrainingFacts,
        bpetok.Estimate,
        bpetok.Explanation,
        bpetok.Report,
        ExplainedWord,
        MergeStep,
        SourceReport,
        TokenizerReport,
    ):
        names.update(dir(kind), getattr(kind, "__dataclass_fields__", ()))
    return sorted(name for name in names if not name.startswith("_"))


@pytest.mark.parametrize("name", public_names())
def test_api_md_has_every_public_name(name: str) -> None:
    """In code, as it is written in Python."""
    text = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```.*?^```", text, re.DOTALL | re.MULTILINE)
    code = re.findall(
        r"`[^`\n]+`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    )
    assert any(re.search(rf"\b{name}\b", part) for part in blocks + code)


def test_api_md_has_every_command() -> None:
    """By its name."""
    text = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    for command in commands():
        assert f"`bpetok {command}`" in text


def commands() -> Iterable[str]:
    return main.commands_of(main.build_parser())
