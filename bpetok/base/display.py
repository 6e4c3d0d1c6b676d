"""Bytes, sizes and tables as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

N_ROWS = 8
"""Rows of a table in a notebook."""


def show_size(n_bytes: int) -> str:
    """Return a number of bytes as people read it."""
    return f"{n_bytes / 1e6:,.2f} MB" if n_bytes >= 100_000 else f"{n_bytes:,} bytes"


def plural(number: int, thing: str) -> str:
    """Return a number with what it counts, such as "1 file" or "2,000 files"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def show_some(names: Sequence[str], most: int = 4) -> str:
    """Return a list as people read it, of many names only the first."""
    return ", ".join(names[:most]) + f" and {len(names) - most:,} more" * (len(names) > most)


def show_name(name: str) -> str:
    """Return a name as it can be written in UTF-8: what is none in that of a file as escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


def show_bytes(token: bytes) -> str:
    """Return a token as people read it: a space as ␣, other unseen characters and stray bytes
    as escapes.
    """
    text = token.decode("utf-8", "backslashreplace")
    return "".join(
        "␣" if character == " " else character if character.isprintable() else _escape(character)
        for character in text
    )


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def table_html(caption: str, names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a caption and a table in plain HTML, as a notebook shows it."""
    from html import escape  # here and not above, for `bpetok --version`: 1 ms

    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td><code>{escape(cell)}</code></td>" for cell in row) + "</tr>"
        for row in rows
    )
    return (
        f"<div>{escape(caption)}</div><table>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )
