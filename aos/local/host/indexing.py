"""Loads a `function_app.py` and reads its functions, refusing what the real worker or this host would not run."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Awaitable, Callable
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

import azure.functions as func

from aos.kernel.errors import SettingInvalid
from aos.local.host.function import BusOutput, BusTrigger, Function, HttpTrigger, TimerTrigger, Trigger
from aos.local.host.settings import Settings
from aos.local.host.signature import check_signature, is_streaming

MODULE = "function_app"
_SUPPORTED = "HTTP triggers, timer triggers, Service Bus queue and topic triggers, and Service Bus output bindings"
_CONTEXT = "context"

Binding = dict[str, Any]


def load_functions(app: Path, settings: Settings) -> list[Function]:
    """The functions of the app in the order of their definition.

    Raises:
        SettingInvalid: the file is missing, or holds what cannot be run; the message names the function.
        SettingMissing: a `%NAME%` is not set.
    """
    registered = _function_app(_import(app), app)
    try:
        # Once only: a second call finds every name taken.
        built = registered.get_functions()
    except ValueError as error:
        raise SettingInvalid(f"{app / MODULE}.py cannot be indexed: {error}") from error
    functions = [_read(function, settings) for function in built]
    _refuse_mixed_http(functions)
    return functions


def closing_hook() -> Callable[[], Awaitable[None]] | None:
    """The coroutine function `close` of the loaded `function_app`, if it has one.

    Azure never calls it: its workers are ended from outside. Here it lets an app close its connections.
    """
    hook = getattr(sys.modules.get(MODULE), "close", None)
    return hook if inspect.iscoroutinefunction(hook) else None


def _import(app: Path) -> ModuleType:
    file = app / f"{MODULE}.py"
    if not file.exists():
        raise SettingInvalid(f"{file} is missing: give the folder of a function app in the Python v2 model.")
    if str(app) not in sys.path:
        sys.path.insert(0, str(app))
    spec = importlib.util.spec_from_file_location(MODULE, file)
    if spec is None or spec.loader is None:
        raise SettingInvalid(f"{file} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[MODULE] = module
    spec.loader.exec_module(module)
    return module


def _function_app(module: ModuleType, app: Path) -> func.FunctionRegister:
    names = [name for name, value in vars(module).items() if isinstance(value, func.FunctionRegister)]
    if len(names) != 1:
        found = f"has {len(names)} ({', '.join(names)})" if names else "has none"
        raise SettingInvalid(
            f"{app / MODULE}.py must have exactly one variable that holds a FunctionApp; it {found}. "
            "An alias counts as a second one."
        )
    registered: func.FunctionRegister = getattr(module, names[0])
    return registered


def _read(built: Any, settings: Settings) -> Function:
    name: str = built.get_function_name()
    needed_by = f"Function {name!r}"
    call: Callable[..., Any] = built.get_user_function()
    bindings = [_resolved(binding.get_dict_repr(), settings, needed_by) for binding in built.get_bindings()]
    triggers = [binding for binding in bindings if str(binding["type"]).endswith("Trigger")]
    if len(triggers) != 1:
        raise SettingInvalid(f"{needed_by} has {len(triggers)} triggers; it must have one.")
    if len({binding["name"] for binding in bindings}) != len(bindings):
        raise SettingInvalid(f"{needed_by} has two bindings of one name (its return value counts as one).")
    outputs = tuple(
        _output(binding, needed_by) for binding in bindings if binding is not triggers[0] and binding["type"] != "http"
    )
    if built.get_settings_dict("retry_policy"):
        raise SettingInvalid(f"{needed_by} has a retry policy, which the embedded host does not support.")
    check_signature(name, call, bindings)
    parameters = inspect.signature(call).parameters
    bound = {str(binding["name"]) for binding in bindings}
    return Function(
        name=name,
        call=call,
        is_async=inspect.iscoroutinefunction(call),
        wants_context=_CONTEXT in parameters and _CONTEXT not in bound,
        trigger=_trigger(triggers[0], call, needed_by),
        outputs=outputs,
    )


def _resolved(binding: Binding, settings: Settings, needed_by: str) -> Binding:
    return {key: _plain(value, settings, needed_by) for key, value in binding.items()}


def _plain(value: Any, settings: Settings, needed_by: str) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item, settings, needed_by) for item in value]
    if isinstance(value, Enum):
        return value.name
    return settings.resolve(value, needed_by) if isinstance(value, str) else value


def _trigger(binding: Binding, call: Callable[..., Any], needed_by: str) -> Trigger:
    kind = binding["type"]
    if kind == "httpTrigger":
        return _http(binding, call, needed_by)
    if kind == "timerTrigger":
        return TimerTrigger(
            parameter=binding["name"],
            schedule=binding["schedule"],
            run_on_startup=bool(binding.get("runOnStartup")),
            monitored=binding.get("useMonitor") is not False,
        )
    if kind == "serviceBusTrigger":
        return _bus(binding)
    raise SettingInvalid(
        f"{needed_by} has a {kind!r}, which the embedded host does not support. It supports {_SUPPORTED}. "
        "Use Core Tools (`func start`) for this app."
    )


def _http(binding: Binding, call: Callable[..., Any], needed_by: str) -> HttpTrigger:
    level = str(binding.get("authLevel", "function")).lower()
    if level not in ("anonymous", "function", "admin"):
        raise SettingInvalid(f"{needed_by} has the auth level {level!r}; use anonymous, function or admin.")
    methods = binding.get("methods")
    return HttpTrigger(
        parameter=binding["name"],
        route=binding.get("route", ""),
        methods=frozenset(str(method).upper() for method in methods) if methods else None,
        auth_level=level,  # type: ignore[arg-type]  # checked above
        streaming=is_streaming(call, binding["name"]),
    )


def _bus(binding: Binding) -> BusTrigger:
    kind = str(binding.get("dataType", "undefined")).lower()
    return BusTrigger(
        parameter=binding["name"],
        connection=binding["connection"],
        entity=_entity(binding),
        sessions=bool(binding.get("isSessionsEnabled")),
        many=str(binding.get("cardinality", "one")).lower() == "many",
        body_kind=kind if kind in ("binary", "string") else "undefined",  # type: ignore[arg-type]
        auto_complete=binding.get("autoCompleteMessages"),
    )


def _entity(binding: Binding) -> str:
    if "queueName" in binding:
        return str(binding["queueName"])
    if "subscriptionName" in binding:
        return f"{binding['topicName']}/Subscriptions/{binding['subscriptionName']}"
    return str(binding["topicName"])


def _output(binding: Binding, needed_by: str) -> BusOutput:
    if binding["type"] != "serviceBus":
        raise SettingInvalid(
            f"{needed_by} has a binding of the type {binding['type']!r}, which the embedded host does not "
            f"support. It supports {_SUPPORTED}."
        )
    return BusOutput(binding["name"], binding["connection"], _entity(binding))


def _refuse_mixed_http(functions: list[Function]) -> None:
    http = [(function.name, function.trigger) for function in functions if function.kind == "http"]
    streaming = [name for name, trigger in http if isinstance(trigger, HttpTrigger) and trigger.streaming]
    buffered = [name for name, trigger in http if isinstance(trigger, HttpTrigger) and not trigger.streaming]
    if streaming and buffered:
        raise SettingInvalid(
            f"Function {streaming[0]!r} uses the http-fastapi extension and {buffered[0]!r} func.HttpRequest. "
            "The real worker cannot mix them in one app: use one for all HTTP functions."
        )
