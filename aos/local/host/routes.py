"""Route templates as ASP.NET writes them: `{x}`, `{x?}`, `{x:int}`, `{*rest}`; the most specific match wins."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from aos.kernel.errors import SettingInvalid
from aos.local.host.function import Function, HttpTrigger

_PARAMETER = re.compile(r"\{(\*{0,2})([A-Za-z_]\w*)((?::[^{}:?]+)*)(\??)\}")
_NUMBER = r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_CONSTRAINTS = {
    "int": r"[+-]?\d{1,10}",
    "long": r"[+-]?\d{1,19}",
    "alpha": r"[A-Za-z]*",
    "bool": r"(?i:true|false)",
    "guid": r"[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}",
    "decimal": _NUMBER,
    "double": _NUMBER,
    "float": _NUMBER,
}


@dataclass(frozen=True, slots=True)
class Route:
    """A compiled template, its function, and how specific it is (lower wins)."""

    function: Function
    trigger: HttpTrigger
    pattern: re.Pattern[str]
    rank: tuple[int, ...]


class Routes:
    """Finds the function for a method and path."""

    def __init__(self, functions: Iterable[Function], prefix: str) -> None:
        routes = [
            _compile(function, function.trigger, prefix)
            for function in functions
            if isinstance(function.trigger, HttpTrigger)
        ]
        self._routes = sorted(routes, key=lambda route: route.rank)

    def match(self, method: str, raw_path: str) -> tuple[Route, dict[str, str]] | None:
        """The route and its parameters, unescaped; parameters that are absent are left out.

        A path that exists only for other methods is not found, as in the real host.
        """
        path = raw_path.strip("/")
        for route in self._routes:
            if route.trigger.methods is not None and method not in route.trigger.methods:
                continue
            found = route.pattern.fullmatch(path)
            if found is not None:
                return route, {name: unquote(value) for name, value in found.groupdict().items() if value}
        return None

    def templates(self) -> list[tuple[Function, HttpTrigger]]:
        return [(route.function, route.trigger) for route in self._routes]


def _compile(function: Function, trigger: HttpTrigger, prefix: str) -> Route:
    template = (trigger.route or function.name).strip("/")
    segments = [part for part in f"{prefix}/{template}".split("/") if part]
    pattern, rank = "", []
    for place, segment in enumerate(segments):
        text, weight = _segment(segment, function.name, last=place == len(segments) - 1)
        pattern += text.replace("^", "" if place == 0 else "/", 1)
        rank.append(weight)
    return Route(function, trigger, re.compile(pattern, re.IGNORECASE), tuple(rank))


def _segment(segment: str, name: str, *, last: bool) -> tuple[str, int]:
    """The pattern of a segment, with `^` where its slash goes, and its rank."""
    if "{" not in segment and "}" not in segment:
        return "^" + re.escape(segment), 0
    whole = _PARAMETER.fullmatch(segment)
    if whole is None:
        return "^" + _mixed(segment, name), 1
    stars, parameter, constraints, optional = whole.groups()
    if (stars or optional) and not last:
        raise _unusable(segment, name, "optional and catch-all parameters can only stand at the end")
    if stars:
        return f"(?:^(?P<{parameter}>.*))?", 4
    pattern = f"^(?P<{parameter}>{_allowed(constraints, segment, name)})"
    weight = 2 if constraints else 3
    return (f"(?:{pattern})?", weight) if optional else (pattern, weight)


def _mixed(segment: str, name: str) -> str:
    """Text and parameters in one segment, as in `report-{year:int}.pdf`."""
    pattern, end = "", 0
    for found in _PARAMETER.finditer(segment):
        stars, parameter, constraints, optional = found.groups()
        if stars or optional:
            raise _unusable(segment, name, "optional and catch-all parameters must be a segment of their own")
        pattern += re.escape(segment[end : found.start()])
        pattern += f"(?P<{parameter}>{_allowed(constraints, segment, name)})"
        end = found.end()
    rest = segment[end:]
    if end == 0 or "{" in rest or "}" in rest:
        raise _unusable(segment, name, "it is not a parameter")
    return pattern + re.escape(rest)


def _allowed(constraints: str, segment: str, name: str) -> str:
    names = constraints.split(":")[1:]
    if not names:
        return "[^/]+"
    unknown = [constraint for constraint in names if constraint not in _CONSTRAINTS]
    if unknown or len(names) > 1:
        raise _unusable(segment, name, f"one constraint of {', '.join(_CONSTRAINTS)} is supported for a parameter")
    return _CONSTRAINTS[names[0]]


def _unusable(segment: str, name: str, why: str) -> SettingInvalid:
    return SettingInvalid(f"Function {name!r}: {segment!r} in its route cannot be used: {why}.")
