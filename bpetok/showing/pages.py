"""HTML pages, whole in themselves: nothing is fetched. Their templates are in `templates/`."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from html import escape
from typing import Any, ClassVar

from bpetok.base.display import show_bytes
from bpetok.base.extras import MissingExtraError, require
from bpetok.base.files import check_writable, write_whole

MAX_SHOWN = 48
MAX_LINES = 24
"""Lines of a text in the place of a page."""


def check_extra() -> None:
    """Raise a MissingExtraError if what pages are made with is not installed."""
    require("jinja2", "report")
    require("matplotlib", "report")


def render(template: str, **values: Any) -> str:
    """Return a page of a template."""
    jinja2 = require("jinja2", "report")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bpetok.showing"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters["number"] = lambda value: f"{value:,}"
    environment.filters["bytes"] = _show_bounded
    markup = require("markupsafe", "report").Markup
    # A line may end between escapes of bytes, so that it does not end within one.
    environment.filters["breakable"] = lambda token: markup("<wbr>").join(
        re.split(r"(?<!^)(?=\\x)", token)
    )
    page: str = environment.get_template(template).render(**values)
    return page


def _show_bounded(token: bytes) -> str:
    text = show_bytes(token)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 20]}… ({len(token)} bytes)"


class Page(ABC):
    """What is shown as a page of HTML: in a notebook, or in a file."""

    _title: ClassVar[str]

    @abstractmethod
    def to_html(self) -> str:
        """Return the page, whole in itself."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page of `to_html` to a file, whole or not at all.

        Raises
        ------
        OSError
            If the folder does not exist or can't be written to, or `path` is a folder.
        MissingExtraError
            As `to_html`.
        """
        check_writable(path)
        write_whole(path, self.to_html().encode())

    def _repr_html_(self) -> str | None:
        """Return the page as a notebook can show it: in a frame, its styles its own.

        None, so that the notebook shows the text, where what pages are made with is not installed.
        """
        try:
            page = self.to_html()
        except MissingExtraError:
            return None
        lines = str(self).split("\n")
        more = ["..."] if len(lines) > MAX_LINES else []
        return (
            # What takes frames away, as GitHub does and JupyterLab until a notebook is trusted,
            # takes styles away, too: then there is the text.
            "<div><style>.bpetok-text { display: none }</style>"
            f'<div class="bpetok-text"><pre>{escape(chr(10).join([*lines[:MAX_LINES], *more]))}'
            "</pre><p>Run the cell, or trust the notebook, to see this as a page.</p></div>"
            f'<iframe title="{escape(self._title)}" srcdoc="{escape(page)}" '
            # The border is within the width: otherwise JupyterLab shows a bar below it.
            'style="display:block;box-sizing:border-box;width:100%;height:40rem;'
            'border:1px solid #8886;border-radius:6px;resize:vertical"></iframe></div>'
        )

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """Return the text itself for IPython, and for notebooks that can't show the page."""
        page = self._repr_html_()
        return {"text/plain": str(self), **({} if page is None else {"text/html": page})}
