"""A real notebook, executed and rendered as JupyterLab shows it, in both themes and two widths."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from browsers import NARROW, WIDE, emulate
from strategies import TOY

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytest.importorskip("ipykernel")
nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
nbconvert = pytest.importorskip("nbconvert")

TEXT = f"{TOY} some words that come once, and again, and <b>again</b> & 中文 中文. " * 30
CELLS = [
    "import bpetok",
    "special = ['<|end|>']\n"
    "tok = bpetok.train('text.txt', vocab_size=300, special_tokens=special, progress=True)\ntok",
    "small = tok.truncate(270)\nlen(tok), len(small)",
    "words = bpetok.count_words('text.txt', progress=True)\nwords",
    "tok.explain('low lowest 中文<|end|>')",
    "tok.explain(open('text.txt', encoding='utf-8').read())",
    "report = bpetok.report([tok, small], 'text.txt')\nreport",
    "report.plot();",
    "import pandas\npandas.DataFrame(report.to_dicts())",
    "bpetok.watch('low low lower newest', vocab_size=260)",
    "bpetok.estimate('text.txt', vocab_size=300)",
]
WITHOUT_WIDGETS = "import sys\nsys.modules['ipywidgets'] = None"


@pytest.fixture(scope="module", params=["with ipywidgets", "without"])
def notebook(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The notebook, executed by a kernel of its own."""
    pytest.importorskip("ipywidgets")
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "text.txt").write_text(TEXT, "utf-8")
    first = [] if request.param == "with ipywidgets" else [WITHOUT_WIDGETS]
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in [*first, *CELLS]]
    )
    client = nbclient.NotebookClient(
        made, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    return client.execute(env={**os.environ, "JUPYTER_PLATFORM_DIRS": "1"})


def outputs(notebook: Any, source: str) -> list[Any]:
    (cell,) = [cell for cell in notebook.cells if cell.source.endswith(source)]
    return list(cell.outputs)


def test_all_show_themselves(notebook: Any) -> None:
    """As a page, a table or a figure; nothing warns, standard error has a bar of text only."""
    for cell in notebook.cells:
        for output in cell.outputs:
            text = str(output.get("text", ""))
            assert "Warning" not in text, cell.source
            assert output.output_type != "stream" or "00:00" in text or not text.strip(), text
    for source in ("tok", "words"):
        shown = outputs(notebook, f"\n{source}")[-1].data["text/html"]
        assert "<table>" in shown
        assert "…" in shown
    for source in ("<|end|>')", ".read())", "\nreport", "vocab_size=260)"):
        (shown,) = [output.data for output in outputs(notebook, source)]
        assert "<iframe" in shown["text/html"]
        assert not shown["text/plain"].startswith("<")  # the text itself
    assert outputs(notebook, "len(small)")[0].data["text/plain"] == "(300, 270)"
    assert "image/png" in outputs(notebook, "plot();")[0].data
    assert "bytes_per_token" in outputs(notebook, "to_dicts())")[0].data["text/html"]


def test_what_takes_frames_away_leaves_the_text(
    browser: Chrome, notebook: Any, tmp_path: Path
) -> None:
    """As JupyterLab does before a notebook is trusted; otherwise the text is not seen."""
    for sanitize in (False, True):
        exporter = nbconvert.HTMLExporter(sanitize_html=sanitize)
        page, _ = exporter.from_notebook_node(notebook)
        (tmp_path / "notebook.html").write_text(page, "utf-8")
        browser.get((tmp_path / "notebook.html").as_uri())
        assert bool(browser.find_elements("css selector", "iframe")) != sanitize
        body = browser.find_element("css selector", "body").text
        assert ("␣lowest" in body) == ("trust the notebook" in body) == sanitize
    estimate = outputs(notebook, "bpetok.estimate('text.txt', vocab_size=300)")[0].data
    assert estimate["text/plain"].startswith("text          0.0 MB")


FRAMES = """
return [...document.querySelectorAll("iframe")].map((frame) => {
  const page = frame.contentDocument, root = page.documentElement;
  const place = frame.getBoundingClientRect();
  const style = frame.contentWindow.getComputedStyle(page.body);
  return {
    title: frame.title, ground: style.backgroundColor, ink: style.color,
    left: place.left, right: place.right, height: place.height, screen: innerWidth,
    cut: root.scrollWidth > root.clientWidth,
    wide: frame.offsetWidth > frame.parentElement.clientWidth,
    scrolls: root.scrollHeight > root.clientHeight + 8,
    marked: page.body.classList.contains("more"),
    escapes: [...page.querySelectorAll("td code")].filter(
      (code) => /^\\\\x..$/.test(code.textContent)
    ).map((code) => code.getClientRects().length),
    pictures: [...page.images].every((image) => image.naturalWidth > 300),
  };
});
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_pages_follow_the_theme_of_the_notebook(
    browser: Chrome, notebook: Any, tmp_path: Path, theme: str, size: tuple[int, int]
) -> None:
    """Not that of the system; none is cut off. `shown_frames` sees that scrolling ones say so."""
    exporter = nbconvert.HTMLExporter(theme=theme)
    for library in ("mathjax_url", "require_js_url", "jquery_url", "jupyter_widgets_base_url"):
        setattr(exporter, library, "")
    page, _ = exporter.from_notebook_node(notebook)
    (tmp_path / "notebook.html").write_text(page, "utf-8")
    emulate(browser, size, "light" if theme == "dark" else "dark")
    browser.get((tmp_path / "notebook.html").as_uri())
    frames = shown_frames(browser)
    assert len(frames) == 4
    ground = "rgb(255, 255, 255)" if theme == "light" else "rgb(20, 23, 27)"
    for frame in frames:
        assert frame["ground"] == ground, frame
        assert frame["left"] >= 0
        assert frame["right"] <= frame["screen"], frame
        assert not frame["cut"], frame
        assert not frame["wide"], frame
        assert set(frame["escapes"]) <= {1}, frame  # none is cut at the end of a line
        assert frame["pictures"], frame
    assert frames[0]["escapes"]
    heights = [frame["height"] for frame in frames]
    assert max(heights) <= 642
    assert frames[2]["scrolls"]  # the report, in which there is most


LOADED = """
return [...document.querySelectorAll("iframe")].every(
  (frame) => frame.contentDocument?.readyState === "complete"
);
"""


def shown_frames(browser: Chrome) -> list[dict[str, Any]]:
    """Return what is seen of the frames, when all that they hold is loaded and in its place."""
    from selenium.webdriver.support.wait import WebDriverWait

    def in_place(shown: Chrome) -> list[dict[str, Any]] | Literal[False]:
        # A page is marked as one that scrolls a moment after it has its size.
        frames: list[dict[str, Any]] = shown.execute_script(FRAMES)
        return all(frame["scrolls"] == frame["marked"] for frame in frames) and frames

    wait = WebDriverWait(browser, 60)
    wait.until(lambda shown: shown.execute_script(LOADED))
    return wait.until(in_place, "a page that scrolls is not marked, or one that does not is")


IN_VSCODE = """<!doctype html><html style="--vscode-editor-foreground: {ink}"><head>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; child-src https: data:;
script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src https: http: data:">
<style>body {{ background-color: transparent; color: var(--vscode-editor-foreground) }}</style>
</head><body class="vscode-{theme}"><div id="container">{outputs}</div></body></html>"""
"""What VS Code shows outputs on, with its own rule of what may be loaded."""


@pytest.mark.parametrize(
    ("theme", "ink", "ground"),
    [("dark", "#cccccc", "rgb(20, 23, 27)"), ("light", "#3b3b3b", "rgb(255, 255, 255)")],
)
def test_pages_follow_a_theme_that_has_no_ground_of_its_own(
    browser: Chrome, notebook: Any, tmp_path: Path, theme: str, ink: str, ground: str
) -> None:
    """As in VS Code, where the ground is outside of the page; its text tells which it is."""
    shown = [output.data for cell in notebook.cells for output in cell.outputs if "data" in output]
    outputs = "".join(f"<div>{data.get('text/html', '')}</div>" for data in shown)
    page = IN_VSCODE.format(theme=theme, ink=ink, outputs=outputs)
    (tmp_path / "outputs.html").write_text(page, "utf-8")
    emulate(browser, WIDE, "light" if theme == "dark" else "dark")
    browser.get((tmp_path / "outputs.html").as_uri())
    frames = shown_frames(browser)
    assert [frame["ground"] for frame in frames] == [ground] * 4
    assert all(frame["pictures"] for frame in frames)


def test_a_notebook_that_changes_its_theme_is_followed(
    browser: Chrome, notebook: Any, tmp_path: Path
) -> None:
    """At once, as when somebody chooses another one in the menu."""
    page, _ = nbconvert.HTMLExporter(theme="light").from_notebook_node(notebook)
    (tmp_path / "notebook.html").write_text(page, "utf-8")
    browser.get((tmp_path / "notebook.html").as_uri())
    for colour, ground in (("#111", "rgb(20, 23, 27)"), ("#eee", "rgb(255, 255, 255)")):
        browser.execute_script(
            f"document.body.style.setProperty('background', '{colour}', 'important');"
            "document.querySelectorAll('main, div').forEach((e) => e.style.background = 'none');"
        )
        browser.execute_async_script("requestAnimationFrame(() => setTimeout(arguments[0], 50))")
        assert {frame["ground"] for frame in shown_frames(browser)} == {ground}
