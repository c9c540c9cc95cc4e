"""Secrets in text files, by detect-secrets. No value leaves this process, and none is tried out anywhere."""

from __future__ import annotations

import hashlib
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.core.scan import scan_file
from detect_secrets.settings import transient_settings

from aos.tools.review.inspectors.each import each_file
from aos.tools.review.masking import MASK, mask

_UNWANTED = frozenset(("IPPublicDetector",))
"""An address is no secret."""
_ENTROPY = " High Entropy String"
_PUBLIC = frozenset(("0011cc25eb4320717494d2703e8cba85743e71b500283c21c8b88147992f9059",))
"""SHA-256 of keys that everybody knows: the storage emulator's account key."""


def inspect(root: str, files: list[str]) -> dict[str, Any]:
    """What was found: `type` as detect-secrets calls it, `line`, and `evidence`, the line without the value."""
    plugins: dict[str, Any] = get_mapping_from_secret_type_to_class()
    names: list[str] = [plugin.__name__ for plugin in plugins.values()]
    detectors = [{"name": name} for name in names if name not in _UNWANTED]
    with transient_settings({"plugins_used": detectors}), tempfile.TemporaryDirectory() as folder:
        return each_file(root, files, lambda path, text: _secrets(Path(root, path), text, Path(folder)))


def _secrets(path: Path, text: str, folder: Path) -> list[dict[str, Any]]:
    lines = text.split("\n")
    kinds: dict[int, set[str]] = defaultdict(set)
    values: dict[int, list[str]] = defaultdict(list)
    for secret in scan_file(str(_as_utf8(path, text, folder))):
        value = secret.secret_value or ""
        if not _is_public(value):
            kinds[secret.line_number].add(secret.type)
            values[secret.line_number].append(value)
    return [
        {
            "type": kind,
            "line": number,
            "evidence": _without(lines[number - 1] if number <= len(lines) else "", values[number]),
        }
        for number in sorted(kinds)
        for kind in _most_telling(kinds[number])
    ]


def _most_telling(kinds: set[str]) -> list[str]:
    """That a text looks random says nothing new where it is known what it is."""
    return sorted(kind for kind in kinds if not kind.endswith(_ENTROPY)) or sorted(kinds)


def _is_public(value: str) -> bool:
    key = value.rpartition("AccountKey=")[2].strip(" ;'\"")
    return hashlib.sha256(key.encode()).hexdigest() in _PUBLIC


def _as_utf8(path: Path, text: str, folder: Path) -> Path:
    """The scanner passes over what is not UTF-8, so it gets a copy that is."""
    try:
        path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        copy = folder / path.name
        copy.write_text(text, encoding="utf-8")
        return copy
    return path


def _without(line: str, values: list[str]) -> str:
    for value in sorted(filter(None, values), key=len, reverse=True):
        line = line.replace(value, MASK)
    return mask(line.strip()[:4_000])
