"""Adds to the documentation site what is not in docs/: a hook of MkDocs, named in mkdocs.yml.

Documents link to each other and to sources by paths, as hosts of git show them. What is linked to
becomes a page too, and each link leads to the page of its file. The reference is made of
docstrings.
"""

import json
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
HOMES = {"README.md": "index.md", "README.zh-CN.md": "zh/index.md"}
LINK = re.compile(r"""(\]\(|(?:src|srcset|href)=")(?!https?:|[#)"])([^)#"\s]+)""")
REFERENCE = "reference.md"
LAST_FOUND = ("CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md", "campaigns/README.md")
"""What the search shows after what users look for."""
_HAN = r"[\u3001-\u9fff\uff00-\uffef]"
CHINESE_LINE_END = re.compile(rf"(?<={_HAN})\n *(?={_HAN})")
SEARCHED = {
    "checkpoint": "scale",
    "superwords": "api",
    "分词器": "zh",
    "合并": "zh/bpe",
    "预分词": "zh/bpe",
    "词元": "zh/bpe",
    "词表": "zh/choosing",
}
"""Words that the search must find, and a page on which each is found."""
LANGUAGES = {".py": "python", ".pyi": "python", ".pyx": "cython", ".html": "html", ".yml": "yaml"}


def page_of(path: str) -> str:
    """Return the page, or the file of the site, of a path in the repository."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if path.endswith(".md"):
        return HOMES.get(path, path)
    if (ROOT / path).is_dir():
        return f"source/{path}/index.md"
    return f"source/{path.lstrip('.')}.md"


def path_of(page: str) -> str:
    """Return the path of what a page was made of: the other way round, for documents."""
    homes = {home: path for path, home in HOMES.items()}
    if page in homes:
        return homes[page]
    return f"docs/{page}" if (ROOT / "docs" / page).exists() else page


def linked(path: str) -> Iterator[str]:
    """Yield the paths in the repository that a document links to, if they are there."""
    for _, target in LINK.findall((ROOT / path).read_text(encoding="utf-8")):
        found = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        if (ROOT / found).exists():
            yield found


def source(path: str) -> str:
    """Return the page of a file, or of a folder: what it is for, and its files."""
    hidden = "---\nsearch:\n  exclude: true\n---\n"
    if (ROOT / path).is_dir():
        names = sorted(file.name for file in (ROOT / path).iterdir() if file.suffix in LANGUAGES)
        head = ROOT / path / "__init__.py"
        about = head.read_text(encoding="utf-8").split('"""')[1] if head.exists() else ""
        return f"{hidden}# {path}/\n\n```text\n{about.strip()}\n```\n\n{', '.join(names)}\n"
    text = (ROOT / path).read_text(encoding="utf-8")
    return f"{hidden}# {path}\n\n````{LANGUAGES[Path(path).suffix]} linenums='1'\n{text}\n````\n"


def reference() -> str:
    """Return the page of all public names: those that a package imports as themselves."""
    parts = ["# Reference"]
    for package in ("bpetok", "bpetok.patterns", "bpetok.distributed"):
        head = ROOT / package.replace(".", "/") / "__init__.py"
        imported = re.findall(
            r" import ([A-Za-z]\w+) as \1$", head.read_text(encoding="utf-8"), re.M
        )
        names = [name for name in imported if not name.isupper() and name != "patterns"]
        parts += [
            f"## {package}",
            *(f"::: {package}.{name}" for name in sorted(names, key=str.lower)),
        ]
    return "\n\n".join(parts) + "\n"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add README, what documents link to, and the reference."""
    todo = [*HOMES, *(f"docs/{file.src_uri}" for file in files.documentation_pages())]
    files.append(File.generated(config, REFERENCE, content=reference()))
    seen = set(todo)
    for path in todo:  # which grows
        if not path.startswith("docs/"):
            text = (
                (ROOT / path).read_text(encoding="utf-8") if path.endswith(".md") else source(path)
            )
            if path in LAST_FOUND:
                text = f"---\nsearch:\n  boost: 0.2\n---\n{text}"
            files.append(File.generated(config, page_of(path), content=text))
        if path.endswith(".md"):
            new = sorted({*linked(path)} - seen)
            seen.update(new)
            todo += [one for one in new if not one.startswith("docs/")]
    return files


def joined_lines(markdown: str) -> str:
    """Join the lines of Chinese paragraphs: in HTML the end of a line would be a space."""
    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.DOTALL | re.MULTILINE)  # code: odd ones
    parts[::2] = [CHINESE_LINE_END.sub("", part) for part in parts[::2]]
    return "".join(parts)


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """Make each link lead to the page of what it names."""
    here = page.file.src_uri
    if here == REFERENCE or here.startswith("source/"):
        return markdown
    folder = posixpath.dirname(path_of(here))
    if here.startswith("zh/"):
        markdown = joined_lines(markdown)

    def page_link(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, match[2]))
        return match[1] + posixpath.relpath(page_of(path), posixpath.dirname(here) or ".")

    return LINK.sub(page_link, markdown)


def on_post_page(output: str, *, page: Page, **_: object) -> str:
    """Say which pages are Chinese."""
    if page.file.src_uri.startswith("zh/"):
        return output.replace('<html lang="en"', '<html lang="zh-Hans"', 1)
    return output


def on_post_build(config: MkDocsConfig) -> None:
    """Look words up in the index that the search is made of, as it cuts texts into words."""
    index = json.loads(Path(config.site_dir, "search/search_index.json").read_text("utf-8"))
    separator = re.compile(index["config"]["separator"])
    found: dict[str, set[str]] = {}
    for entry in index["docs"]:
        for word in {*separator.split(f"{entry['title']} {entry['text']}".lower())}:
            found.setdefault(word, set()).add(entry["location"])
    for word, page in SEARCHED.items():
        if not any(location.startswith(page) for location in found.get(word, ())):
            raise PluginError(f"the search does not find {word!r} on {page or 'any page'!r}")
