"""Tools: typed functions with declared effects that agents call, each as often as its effect allows.

What is exported here is loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aos.tools.attempt import Workbench
    from aos.tools.declaration import Tool, ToolContext, Undo, tool
    from aos.tools.errors import (
        ApprovalNeeded,
        CallDiverged,
        NotDone,
        OutcomeUnknown,
        ToolDenied,
        ToolFailed,
        ToolNotGranted,
        ToolNotPermitted,
        ToolRefused,
        ToolTimedOut,
    )
    from aos.tools.guardrail import Guardrail
    from aos.tools.registry import ToolRegistry
    from aos.tools.toolbox import Observation, Toolbox

__all__ = [
    "ApprovalNeeded",
    "CallDiverged",
    "Guardrail",
    "NotDone",
    "Observation",
    "OutcomeUnknown",
    "Tool",
    "ToolContext",
    "ToolDenied",
    "ToolFailed",
    "ToolNotGranted",
    "ToolNotPermitted",
    "ToolRefused",
    "ToolRegistry",
    "ToolTimedOut",
    "Toolbox",
    "Undo",
    "Workbench",
    "tool",
]

_HOME = {
    "attempt": ("Workbench",),
    "errors": (
        "ApprovalNeeded",
        "CallDiverged",
        "NotDone",
        "OutcomeUnknown",
        "ToolDenied",
        "ToolFailed",
        "ToolNotGranted",
        "ToolNotPermitted",
        "ToolRefused",
        "ToolTimedOut",
    ),
    "guardrail": ("Guardrail",),
    "registry": ("ToolRegistry",),
    "declaration": ("Tool", "ToolContext", "Undo", "tool"),
    "toolbox": ("Observation", "Toolbox"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
