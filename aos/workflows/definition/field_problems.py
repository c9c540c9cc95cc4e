"""What pydantic found wrong with the fields of a workflow, in words for whoever wrote it."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from aos.workflows.definition.expressions import nearest
from aos.workflows.definition.templates import Place


def field_problems(error: ValidationError, fields: Sequence[str] = ()) -> list[tuple[Place, str]]:
    """Each field that is wrong, and how, without what only follows from the rest.

    Args:
        error: What pydantic raised.
        fields: Names of fields there are, to suggest one for what is none.
    """
    items = error.errors()
    places = [item["loc"] for item in items]
    found: dict[Place, str] = {}
    for item in items:
        place = item["loc"]
        follows = any(other != place and other[: len(place)] == place for other in places)
        if item["type"] == "too_short" and follows:
            continue  # the parts of the list that are wrong were taken out of it
        found.setdefault(place, _said(item["type"], item["msg"], place, fields))
    return list(found.items())


def _said(kind: str, message: str, place: Place, fields: Sequence[str]) -> str:
    if kind == "extra_forbidden":
        near = nearest(str(place[-1]), list(fields), none="docs/workflows.md lists the fields.")
        return f"there is no field `{place[-1]}` here. {near}".removesuffix(".")
    if kind == "too_short":
        return "at least one is needed"
    return message.removeprefix("Value error, ")
