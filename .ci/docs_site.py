"""What the documentation's site has beyond the pages in docs/: hooks of MkDocs.

The same files are read on GitHub and on the site. Some of them stand outside of docs/ and become pages
here: the README is the first one. So links between the two kinds are turned, and one to any other file of
the repository leads to where that is published. What the built pages load is looked at, too: nothing
may come from another host.
"""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

PROJECT: Final = Path(__file__).parents[1]
OUTSIDE: Final = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "benchmarks/results.svg": "images/results.svg",
    "benchmarks/wide.svg": "images/wide.svg",
}
"""Files of the repository that the site has too, and what they are there."""

_LINK: Final = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)")
_LOADED: Final = re.compile(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\W?https?:[^>]*>")
_STYLE: Final = re.compile(r"<link\b[^>]*\brel=\W?(?:stylesheet|preconnect|preload|icon)\b[^>]*>")
_REPOSITORY: Final = re.compile(r'^Repository = "([^"]+)"$', re.MULTILINE)

log = logging.getLogger("mkdocs.hooks.docs_site")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files from outside of docs/."""
    for path, name in OUTSIDE.items():
        files.append(File.generated(config, name, content=(PROJECT / path).read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Page, files: Files, **_: object) -> str:
    """Turn the links of a page that lead out of docs/, or from outside into it."""
    here = _in_repository(page.file.src_uri)

    def turned(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(here), match[1]))
        if target in OUTSIDE:
            name = OUTSIDE[target]
        elif target.startswith("docs/") and files.get_file_from_path(target[5:]):
            name = target[5:]
        elif (PROJECT / target).exists() and not target.startswith(".."):
            return f"{_repository()}/blob/main/{target}"
        else:
            return match[1]  # MkDocs says of it that it leads nowhere
        return posixpath.relpath(name, posixpath.dirname(page.file.src_uri) or ".")

    return _LINK.sub(turned, markdown)


def on_post_page(output: str, page: Page, **_: object) -> str:
    """Warn, which fails a strict build, where a page would load something from another host."""
    styles = [each for each in _STYLE.findall(output) if re.search(r"href=\W?https?:", each)]
    for found in [*_LOADED.findall(output), *styles]:
        log.warning("%s would load from another host: %s", page.file.src_uri, found)
    return output


def _in_repository(name: str) -> str:
    """Return where the source of a page is."""
    places = {page: path for path, page in OUTSIDE.items()}
    return places.get(name, f"docs/{name}")


def _repository() -> str:
    """Return where the repository is published: pyproject.toml says so, and nothing else."""
    match = _REPOSITORY.search((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    if match is None:
        raise LookupError("pyproject.toml has no Repository among its urls")
    return match[1]
