"""Differences between two JSON values, small enough to keep one in each journal entry.

A patch is a list of operations on paths (lists of keys and indexes):
`["set", path, value]`, `["del", path]`, and `["add", path, items]`, which appends to a list.
"""

from __future__ import annotations

from typing import Any

Patch = list[list[Any]]


def diff(before: Any, after: Any) -> Patch:
    """The operations that turn `before` into `after`."""
    patch: Patch = []
    _compare(before, after, [], patch)
    return patch


def apply(value: Any, patch: Patch) -> Any:
    """Apply a patch. `value` may be changed in place; use what is returned."""
    for operation in patch:
        kind, path = operation[0], operation[1]
        if not path:
            value = [*value, *operation[2]] if kind == "add" else operation[2]
            continue
        parent = value
        for key in path[:-1]:
            parent = parent[key]
        if kind == "set":
            parent[path[-1]] = operation[2]
        elif kind == "del":
            del parent[path[-1]]
        else:
            parent[path[-1]].extend(operation[2])
    return value


def _compare(before: Any, after: Any, path: list[Any], patch: Patch) -> None:
    kind = type(before)
    # Types first: to Python 1, 1.0 and True are equal, in JSON they are three values.
    if kind is not type(after):
        patch.append(["set", path, after])
    elif kind is dict:
        _compare_objects(before, after, path, patch)
    elif kind is list and before and len(after) >= len(before):
        _compare_lists(before, after, path, patch)
    elif before != after:
        patch.append(["set", path, after])


def _compare_objects(before: dict[str, Any], after: dict[str, Any], path: list[Any], patch: Patch) -> None:
    patch.extend(["del", [*path, key]] for key in before if key not in after)
    for key, value in after.items():
        if key in before:
            _compare(before[key], value, [*path, key], patch)
        else:
            patch.append(["set", [*path, key], value])


def _compare_lists(before: list[Any], after: list[Any], path: list[Any], patch: Patch) -> None:
    changed: Patch = []
    most = len(before) // 2
    for index, (old, new) in enumerate(zip(before, after, strict=False)):
        if type(old) is str and old == new:
            continue
        _compare(old, new, [*path, index], changed)
        if len(changed) > most:
            # Most of it is different (a rolling window, say): the whole list is shorter than its differences.
            patch.append(["set", path, after])
            return
    patch.extend(changed)
    if len(after) > len(before):
        patch.append(["add", path, after[len(before) :]])
