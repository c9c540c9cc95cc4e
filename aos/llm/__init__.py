"""The model router: agents ask it, and it chooses a provider, translates, limits, prices and records.

What is exported here is loaded on first use, so that importing `aos.llm` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aos.llm.budgets import Budget, BudgetExceeded
    from aos.llm.building import build_router, read_configuration
    from aos.llm.client import HttpTransport
    from aos.llm.endpoint import Endpoints
    from aos.llm.errors import ModelError, Outage, Recourse
    from aos.llm.generation import AIResponse, generate_with_fallback
    from aos.llm.overview import Overview
    from aos.llm.prices import Price, Prices
    from aos.llm.provider import ModelProfile, ProviderProfile
    from aos.llm.providers import Providers
    from aos.llm.request import (
        ChatMessage,
        EmbeddingRequest,
        ForcedTool,
        ImagePart,
        ModelRequest,
        ReasoningPart,
        ResponseFormat,
        TextPart,
        ToolCall,
        ToolResult,
        ToolSpec,
    )
    from aos.llm.response import (
        Cost,
        EmbeddingResponse,
        ModelResponse,
        ReasoningDelta,
        StreamEnd,
        StreamRestarted,
        TextDelta,
        ToolCallDelta,
        Usage,
    )
    from aos.llm.route import CallContext, Degraded, Route, Routes
    from aos.llm.router import Answered, ModelRouter
    from aos.llm.router_settings import RouterSettings
    from aos.llm.thinking import think
    from aos.llm.transport import CallTimes, ModelTransport
    from aos.llm.tries import AllModelsFailed, ModelsRefused, ModelsUnavailable, NoModelFits, Try

__all__ = [
    "AIResponse",
    "AllModelsFailed",
    "Answered",
    "Budget",
    "BudgetExceeded",
    "CallContext",
    "CallTimes",
    "ChatMessage",
    "Cost",
    "Degraded",
    "EmbeddingRequest",
    "EmbeddingResponse",
    "Endpoints",
    "ForcedTool",
    "HttpTransport",
    "ImagePart",
    "ModelError",
    "ModelProfile",
    "ModelRequest",
    "ModelResponse",
    "ModelRouter",
    "ModelTransport",
    "ModelsRefused",
    "ModelsUnavailable",
    "NoModelFits",
    "Outage",
    "Overview",
    "Price",
    "Prices",
    "ProviderProfile",
    "Providers",
    "ReasoningDelta",
    "ReasoningPart",
    "Recourse",
    "ResponseFormat",
    "Route",
    "RouterSettings",
    "Routes",
    "StreamEnd",
    "StreamRestarted",
    "TextDelta",
    "TextPart",
    "ToolCall",
    "ToolCallDelta",
    "ToolResult",
    "ToolSpec",
    "Try",
    "Usage",
    "build_router",
    "generate_with_fallback",
    "read_configuration",
    "think",
]

_HOME = {
    "budgets": (
        "Budget",
        "BudgetExceeded",
    ),
    "building": (
        "build_router",
        "read_configuration",
    ),
    "generation": (
        "AIResponse",
        "generate_with_fallback",
    ),
    "overview": ("Overview",),
    "prices": (
        "Price",
        "Prices",
    ),
    "route": (
        "CallContext",
        "Degraded",
        "Route",
        "Routes",
    ),
    "router": (
        "Answered",
        "ModelRouter",
    ),
    "router_settings": ("RouterSettings",),
    "thinking": ("think",),
    "tries": (
        "AllModelsFailed",
        "ModelsRefused",
        "ModelsUnavailable",
        "NoModelFits",
        "Try",
    ),
    "client": ("HttpTransport",),
    "endpoint": ("Endpoints",),
    "errors": ("ModelError", "Outage", "Recourse"),
    "provider": ("ModelProfile", "ProviderProfile"),
    "providers": ("Providers",),
    "request": (
        "ChatMessage",
        "EmbeddingRequest",
        "ForcedTool",
        "ImagePart",
        "ModelRequest",
        "ReasoningPart",
        "ResponseFormat",
        "TextPart",
        "ToolCall",
        "ToolResult",
        "ToolSpec",
    ),
    "response": (
        "Cost",
        "EmbeddingResponse",
        "ModelResponse",
        "ReasoningDelta",
        "StreamEnd",
        "StreamRestarted",
        "TextDelta",
        "ToolCallDelta",
        "Usage",
    ),
    "transport": ("CallTimes", "ModelTransport"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
