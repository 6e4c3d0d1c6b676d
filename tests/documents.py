"""The blocks of Markdown documents, run as printed."""

import contextlib
import io
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TRANSLATED = {
    path: ROOT / "docs" / path.name for path in sorted((ROOT / "docs" / "zh").glob("*.md"))
}
"""Each document in Chinese, and the English one that it says the same as."""
OTHERS = [ROOT / "CONTRIBUTING.md", ROOT / "docs/command.md", *sorted(ROOT.glob("*/README.md"))]
"""Documents without blocks to run."""
DOCUMENTS = [
    *sorted(ROOT.glob("README*.md")),
    *sorted({*(ROOT / "docs").glob("*.md")} - {*OTHERS}),
    *TRANSLATED,
]
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)


def run_blocks(path: Path) -> list[tuple[str, str]]:
    """Run the Python blocks of a document in one session.

    Returns what each was to print, by the text block that follows it, and what it printed.
    """
    names: dict[str, object] = {"__name__": "__main__"}
    results = []
    for code, expected in BLOCK.findall(path.read_text(encoding="utf-8")):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, path.name, "exec"), names)  # our own documents, not input
        results.append((expected, printed.getvalue()))
    return results
