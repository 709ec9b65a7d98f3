"""Sphinx's configuration for ``make docs``: the repository's own Markdown, as it is, as a site.

The source folder is the repository, so that relative links work here and on GitHub alike.
"""

# ruff: noqa: INP001  (Sphinx reads this file: it is no package)

from sphinx.application import Sphinx

project = "maskgate"
extensions = ["myst_parser", "sphinxcontrib.mermaid"]
html_theme = "furo"
html_title = "maskgate"
html_extra_path = ["index.html"]
root_doc = "README"
include_patterns = ["*.md", "deploy/model/*.md", "docs/*.md", "docs/**/*.md"]
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 3
# A missing heading level in a generated benchmark report is no reason to fail.
suppress_warnings = ["myst.header"]

_CONTENTS = """

```{{toctree}}
:hidden:
:caption: {caption}
:glob:

{pages}
```
"""
_PAGES = {
    "Run it": (
        "docs/operations",
        "docs/observe",
        "docs/desk",
        "docs/cameras",
        "docs/labels",
        "docs/configuration",
        "docs/tls",
        "docs/speed",
        "docs/capacity",
        "SECURITY",
    ),
    "Train": (
        "docs/training",
        "docs/model",
        "deploy/model/mask",
        "deploy/model/reference",
    ),
    "Change it": (
        "docs/architecture",
        "docs/glossary",
        "docs/adr/README",
        "CONTRIBUTING",
        "CHANGELOG",
    ),
    "Decisions": ("docs/adr/0*",),
    "Benchmarks": ("docs/benchmarks/results", "docs/benchmarks/peers", "docs/benchmarks/shipped"),
}


def _append_contents(_app: Sphinx, page: str, text: list[str]) -> None:
    """Give the README the site's table of contents, which GitHub would show as a block of code."""
    if page == root_doc:
        text[0] += "".join(
            _CONTENTS.format(caption=caption, pages="\n".join(pages))
            for caption, pages in _PAGES.items()
        )


def setup(app: Sphinx) -> None:
    """Sphinx's hook."""
    app.connect("source-read", _append_contents)
