"""Pages read well in a repository browser and on the site: links to files, and modules that are named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from docs.hooks.links import INCLUDED, linked_modules, mended_links
from docs.hooks.reference import PACKAGE

ROOT = PACKAGE.parents[1]
HOST = "https://host/repo"
PAGES = [*sorted((ROOT / "docs").glob("*.md")), *(ROOT / name for name in ("README.md", *INCLUDED))]
LINK = re.compile(r"\]\((?!https?:|mailto:|#|<)([^)\s#]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    missing = [target for target in LINK.findall(text) if not (page.parent / target).exists()]
    assert missing == []


def test_links_out_of_the_docs_lead_to_the_site_or_to_the_repository() -> None:
    text = "[a](faces.md#rates) [b](../CHANGELOG.md) [c](../src/halfsmile/taxonomy.py) [d](https://x) [e](#f)"
    assert mended_links(text, "docs", "", HOST) == (
        "[a](faces.md#rates) [b](changelog.md) [c](https://host/repo/blob/main/src/halfsmile/taxonomy.py) "
        "[d](https://x) [e](#f)"
    )


def test_links_of_pages_from_elsewhere_lead_to_the_same_files() -> None:
    place = "src/halfsmile/predict/models"
    assert mended_links("[a](../../../../docs/export.md)", place, "", HOST) == "[a](export.md)"
    assert mended_links("[a](default.onnx)", place, "", HOST) == f"[a]({HOST}/blob/main/{place}/default.onnx)"


def test_names_in_a_module_are_linked_too() -> None:
    pages = {"reference/serve/limits.md"}
    name = "halfsmile.serve.limits.ServerLimits"
    linked = linked_modules(f"`{name}`, `halfsmile.serve.gone.Limits`", pages)
    assert linked == f"[`{name}`][{name}], `halfsmile.serve.gone.Limits`"


def test_modules_are_linked_where_the_text_names_them_in_code() -> None:
    pages = {"reference/data/store/index.md", "reference/methods/mae.md"}
    text = (
        "`halfsmile.data.store`, `methods/mae.py`, halfsmile.data.store, `a/gone.py`, [`methods/mae.py`](x)"
    )
    assert linked_modules(f"# `methods/mae.py`\n{text}", pages) == (
        "# `methods/mae.py`\n[`halfsmile.data.store`][halfsmile.data.store], "
        "[`methods/mae.py`][halfsmile.methods.mae], halfsmile.data.store, `a/gone.py`, [`methods/mae.py`](x)"
    )
