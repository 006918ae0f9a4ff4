"""What MkDocs calls: pages and tables that are made from the code when the site is built.

A page of docs/ has a table where it says `<!-- keys: PATH -->` (keys of the app file, from its
schema), `<!-- options: COMMAND -->` (of the command line), `<!-- commands -->` (all of them) or
`<!-- causes -->` (why messages are dropped).
Operators and the Python API have pages of their own. None of it is kept in the repository.
"""

from __future__ import annotations

import re
from typing import Any

import app_keys
import catalogue
import commands
import python_api
import tables
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from holoflow.stats.causes import CAUSES

OPERATORS = "reference/operators/"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and name those of operators in the navigation."""
    made = catalogue.pages(OPERATORS)
    made["reference/python.md"] = python_api.page()
    for path, content in made.items():
        files.append(File.generated(config, path, content=content))
    pages = [path for path in made if path.startswith(OPERATORS) and path.endswith(".md")]
    config.nav = _filled(config.nav, pages)
    return files


def on_page_markdown(markdown: str, /, *, page: Page, **_: Any) -> str:
    """Put tables in the place of their marks; a page with all commands has all their options."""

    def table(mark: re.Match[str]) -> str:
        kind, what = mark[1], mark[2]
        try:
            return app_keys.table(what) if kind == "keys" else commands.table(what)
        except KeyError as error:
            raise PluginError(f"{page.file.src_uri}: no {kind} of {what!r}: {error}") from None

    if "<!-- causes -->" in markdown:
        rows = [(tables.code(cause), meaning) for cause, meaning in CAUSES.items()]
        markdown = markdown.replace("<!-- causes -->", tables.table(("cause", "meaning"), rows))
    if "<!-- commands -->" in markdown:
        markdown = markdown.replace("<!-- commands -->", commands.overview())
        missing = [one for one in commands.names() if f"<!-- options: {one} -->" not in markdown]
        if missing:
            raise PluginError(f"{page.file.src_uri} has no options of {', '.join(missing)}")
    markdown = re.sub(r"^<!-- (keys|options): (.*?) ?-->$", table, markdown, flags=re.MULTILINE)
    # Bars in code are escaped in tables for readers of the files; here they need not be.
    return re.sub(r"`[^`\n]*\\\|[^`\n]*`", lambda code: code[0].replace("\\|", "|"), markdown)


def _filled(nav: Any, pages: list[str]) -> Any:
    """Return `nav` with the operators' pages where it names their folder."""
    if isinstance(nav, list):
        return [_filled(entry, pages) for entry in nav]
    if isinstance(nav, dict):
        return {title: _filled(entry, pages) for title, entry in nav.items()}
    return pages if nav == OPERATORS else nav
