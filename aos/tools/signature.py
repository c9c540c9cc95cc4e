"""Reads a tool's arguments from the signature and the docstring of its function."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.fields import FieldInfo

from aos.kernel.errors import SettingInvalid

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SECTION = re.compile(r"^(Args|Arguments|Returns|Raises|Yields|Note|Notes|Example|Examples):\s*$", re.MULTILINE)
_ARGUMENT = re.compile(r"^    (\w+)(?: \([^)]*\))?:\s*(.*(?:\n {8,}.*)*)", re.MULTILINE)


def described(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """What a Google-style docstring says of a function, and of each of its arguments."""
    text = inspect.getdoc(function) or ""
    sections = _SECTION.split(text)
    about = " ".join(sections[0].split())
    named = dict(zip(sections[1::2], sections[2::2], strict=True))
    listed = named.get("Args", named.get("Arguments", ""))
    return about, {name: " ".join(said.split()) for name, said in _ARGUMENT.findall(listed)}


def arguments_of(function: Callable[..., Any], name: str, context: type) -> tuple[type[BaseModel], str | None]:
    """A model of the function's arguments, and the name of the parameter annotated with `context`.

    Raises:
        SettingInvalid: the name cannot be a tool's, or a parameter is not annotated or takes any number of values.
    """
    if not _NAME.fullmatch(name):
        raise SettingInvalid(f"{name!r} cannot be a tool's name. Use letters, digits, _ and -; at most 64.")
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise SettingInvalid(f"An annotation of tool {name!r} cannot be found: {error}. Import it.") from error
    said = described(function)[1]
    wanted: str | None = None
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name not in hints or parameter.kind not in (
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            inspect.Parameter.KEYWORD_ONLY,
        ):
            raise SettingInvalid(f"Parameter {parameter.name!r} of tool {name!r} must be a single, annotated one.")
        if hints[parameter.name] is context:
            wanted = parameter.name
        else:
            fields[parameter.name] = (hints[parameter.name], _field(parameter, said.get(parameter.name)))
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields), wanted


def _field(parameter: inspect.Parameter, description: str | None) -> FieldInfo:
    default = ... if parameter.default is inspect.Parameter.empty else parameter.default
    info: FieldInfo = Field(default, description=description)
    return info
