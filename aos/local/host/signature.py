"""Checks a function's signature as the real worker does, which drops every function of the app over one mistake."""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Callable, Sequence
from typing import Any

import azure.functions as func
from azure.functions import meta
from starlette.requests import Request
from starlette.responses import Response

from aos.kernel.errors import SettingInvalid

_RETURN = "$return"
_EXTENSION = "azurefunctions.extensions.http.fastapi"


def check_signature(name: str, call: Callable[..., Any], bindings: Sequence[dict[str, Any]]) -> None:
    """Hold parameters and annotations against the bindings.

    Raises:
        SettingInvalid: the real worker would refuse the function; the message says what to change.
    """
    parameters = inspect.signature(call).parameters
    by_name = {str(binding["name"]): binding for binding in bindings}
    hints = _hints(name, call)
    for bound in by_name.keys() - parameters.keys() - {_RETURN}:
        raise SettingInvalid(f"Function {name!r} has a binding for {bound!r} but no parameter of that name.")
    for parameter in parameters.keys() - by_name.keys() - {"context"}:
        raise SettingInvalid(
            f"Function {name!r} has the parameter {parameter!r}, which no binding fills. "
            "(The invocation context is passed as a parameter named 'context'.)"
        )
    for bound, binding in by_name.items():
        if "_" in bound:
            raise SettingInvalid(
                f"Function {name!r}: the real host refuses the binding name {bound!r}; use one without underscores."
            )
        _check_binding(name, bound, binding, hints)


def is_streaming(call: Callable[..., Any], parameter: str) -> bool:
    """Whether the function takes the request of the http-fastapi extension, which is Starlette's."""
    return _of_extension(_hints(call.__name__, call).get(parameter))


def _of_extension(annotation: Any) -> bool:
    is_http = isinstance(annotation, type) and issubclass(annotation, Request | Response)
    # Without the extension the real worker does not know these classes.
    return is_http and _EXTENSION in sys.modules


def _hints(name: str, call: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(call)
    except (NameError, TypeError) as error:
        raise SettingInvalid(
            f"Function {name!r}: its annotations cannot be read ({error}). Import what they name when the module "
            "runs, not only for type checking."
        ) from error


def _check_binding(name: str, bound: str, binding: dict[str, Any], hints: dict[str, Any]) -> None:
    annotation = hints.get("return" if bound == _RETURN else bound)
    if annotation is None or annotation is type(None) or annotation is Any:
        return
    if _of_extension(annotation):
        return
    is_input = str(binding["type"]).endswith("Trigger")
    if not is_input and bound != _RETURN:
        annotation = _inside_out(name, bound, annotation)
    if not _accepted(str(binding["type"]), annotation, is_input):
        what = "return value" if bound == _RETURN else f"parameter {bound!r}"
        raise SettingInvalid(
            f"Function {name!r}: the real worker refuses the annotation {annotation!r} of the {what}. "
            "Batches are typing.List[func.ServiceBusMessage] (not list[...]), outputs func.Out[str] or "
            "func.Out[bytes], HTTP functions return func.HttpResponse or str, without None."
        )


def _inside_out(name: str, bound: str, annotation: Any) -> Any:
    if typing.get_origin(annotation) is not func.Out:
        raise SettingInvalid(f"Function {name!r}: annotate the output {bound!r} as func.Out[str] or func.Out[bytes].")
    return typing.get_args(annotation)[0]


def _accepted(kind: str, annotation: Any, is_input: bool) -> bool:
    converter = meta.get_binding_registry().get(kind)  # type: ignore[no-untyped-call]
    if converter is None:
        return True
    try:
        if is_input:
            return bool(converter.check_input_type_annotation(annotation))
        return bool(converter.check_output_type_annotation(annotation))
    except TypeError:
        # issubclass() of something that is no class, such as `X | None`.
        return False
