"""The language of a dataset's texts, as an attribute of the elements that show them."""

from __future__ import annotations

from html import escape

from db.spec.dataset_spec import DatasetSpec


def lang_attribute(spec: DatasetSpec) -> str:
    """Return the attribute lang of a dataset's texts, "" unless they are in one language."""
    if len(spec.languages) != 1:
        return ""
    return f' lang="{escape(spec.languages[0], quote=True)}"'
