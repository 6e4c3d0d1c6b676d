"""The documents: what they link to exists. Their blocks run in `test_readme.py`."""

import re
from pathlib import Path

import pytest

from documents import DOCUMENTS, ROOT
from strategies import TOY

LINK = re.compile(r"\[([^][]*)\]\((?!https?:|#)([^)#]+)\)")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path):
    """To files that are there; a link that is named like code, to a file that defines it."""
    links = LINK.findall(path.read_text(encoding="utf-8"))
    for label, target in links:
        linked = path.parent / target
        assert linked.exists(), target
        name = label.strip("`")
        if label.startswith("`") and name.isidentifier():
            source = linked.read_text(encoding="utf-8")
            assert re.search(
                rf"^ *(c?p?def|class|cdef .*) .*\b{name}\b|^{name}\b", source, re.MULTILINE
            ), f"{target} does not define {name}"


def test_the_example_is_the_same_everywhere():
    """README, docs and tests."""
    for name in ("README.md", "docs/bpe.md"):
        source = re.search(r'"low " \* 5[^\n\]]*', (ROOT / name).read_text(encoding="utf-8"))
        assert source
        assert eval(source[0]) == TOY  # our own documents, not input
