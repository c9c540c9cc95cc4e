"""The function app as the Functions host meets it."""

from __future__ import annotations

import json
import subprocess
import sys
import typing
from pathlib import Path

import azure.functions as func
import pytest

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = {
    "mailbox",
    "events",
    "deadletters",
    "eventdeadletters",
    "requestdeadletters",
    "requests",
    "maintenance",
    "heartbeat",
    "health",
    "healthv1",
    "links",
    "ready",
    "http",
}

SLOW = [
    *("azure.servicebus", "azure.storage", "azure.data", "azure.identity", "azure.keyvault", "opentelemetry"),
    *("aiohttp", "fastapi", "starlette", "httpx", "mcp", "jsonschema", "simpleeval", "croniter", "bandit", "radon"),
]
"""What takes its time to import, and is not needed before it is used."""


def run(code: str, **environment: str) -> str:
    """What a fresh interpreter prints: the app can be indexed once in a process."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", **environment},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_function_is_indexed_by_name() -> None:
    code = "import function_app, json; print(json.dumps({f.get_function_name(): json.loads(f.get_function_json()) "
    code += "for f in function_app.app.get_functions()}))"
    functions = json.loads(run(code))
    assert set(functions) == FUNCTIONS
    triggers = {name: next(b for b in f["bindings"] if b["type"].endswith("Trigger")) for name, f in functions.items()}
    assert triggers["mailbox"]["queueName"] == "agent-inbox"
    assert triggers["mailbox"]["isSessionsEnabled"] is True
    assert triggers["mailbox"]["cardinality"].lower() == "many"
    assert triggers["mailbox"]["dataType"].lower() == "binary"
    assert (triggers["events"]["topicName"], triggers["events"]["subscriptionName"]) == ("agent-events", "router")
    assert triggers["deadletters"]["queueName"] == "agent-inbox/$DeadLetterQueue"
    assert triggers["eventdeadletters"]["subscriptionName"] == "router/$DeadLetterQueue"
    assert triggers["requestdeadletters"]["queueName"] == "aos-requests/$DeadLetterQueue"
    assert triggers["requests"]["queueName"] == "aos-requests"
    assert triggers["maintenance"]["schedule"] == "0 */30 * * * *"
    assert triggers["heartbeat"]["runOnStartup"] is True
    levels = {name: t["authLevel"].lower() for name, t in triggers.items() if t["type"] == "httpTrigger"}
    open_ones = dict.fromkeys(("health", "healthv1", "ready", "links"), "anonymous")
    assert levels == {**open_ones, "http": "function"}


def test_queue_names_come_from_the_configuration() -> None:
    code = "import function_app; print([f.get_trigger().get_dict_repr()['queueName'] "
    code += "for f in function_app.app.get_functions() if f.get_function_name() == 'requests'])"
    assert run(code, AOS_MESSAGING_REQUESTS="other-requests").strip() == "['other-requests']"


@pytest.mark.parametrize(("streaming", "request_type"), [("false", "HttpRequest"), ("true", "Request")])
def test_the_bridge_is_the_one_the_setting_names(streaming: str, request_type: str) -> None:
    code = "import function_app, typing; f = {f.get_function_name(): f for f in function_app.app.get_functions()}; "
    code += "print(typing.get_type_hints(f['http'].get_user_function())['req'].__name__, len(f))"
    assert run(code, AOS_API_STREAMING=streaming).split() == [request_type, str(len(FUNCTIONS))]


def test_importing_the_app_loads_no_azure_client_no_web_framework_and_no_agent() -> None:
    heavy = [*SLOW, "agents", "aos.system", "yaml"]
    assert run(f"import function_app, sys; print([name for name in {heavy} if name in sys.modules])").strip() == "[]"


def test_building_the_system_loads_what_turns_need_and_no_more() -> None:
    code = "import asyncio, sys\nfrom aos.functions.process import close, system\n"
    code += f"async def build():\n system(); print([name for name in {SLOW} if name in sys.modules]); await close()\n"
    code += "asyncio.run(build())"
    bus = "Endpoint=sb://127.0.0.1;SharedAccessKeyName=k;SharedAccessKey=v;UseDevelopmentEmulator=true;"
    assert run(code, AzureWebJobsStorage="UseDevelopmentStorage=true", ServiceBus=bus).strip() == "[]"


def test_importing_the_app_does_not_touch_the_network() -> None:
    code = "import socket, sys\n"
    code += "def refuse(*a, **k): raise SystemExit('network')\n"
    code += "socket.socket.connect = refuse; socket.getaddrinfo = refuse\n"
    code += "import function_app; print('ok')"
    assert run(code).strip() == "ok"


def test_annotations_are_those_the_worker_can_resolve() -> None:
    """The Python worker reads hints with these names in scope, and takes `typing.List` only."""
    from aos.functions import triggers

    hints = typing.get_type_hints(triggers.mailbox._function._func)
    assert hints["messages"] == typing.List[func.ServiceBusMessage]  # noqa: UP006
    assert "_" not in "messages"


def test_host_json_gives_sessions_room_and_time() -> None:
    host = json.loads((ROOT / "host.json").read_text())
    bus = host["extensions"]["serviceBus"]
    assert bus["maxConcurrentSessions"] >= 16
    assert bus["prefetchCount"] == 0
    assert bus["autoCompleteMessages"] is True
    assert bus["maxAutoLockRenewalDuration"] >= "01:00:00"
    assert bus["sessionIdleTimeout"] <= "00:00:05"
    assert host["extensions"]["http"]["routePrefix"] == "api"


def test_the_example_settings_name_what_the_app_needs() -> None:
    values = json.loads((ROOT / "local.settings.example.json").read_text())["Values"]
    assert values["FUNCTIONS_WORKER_RUNTIME"] == "python"
    assert values["AzureWebJobsStorage"] == "UseDevelopmentStorage=true"
    assert "UseDevelopmentEmulator=true" in values["ServiceBus"]


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "No storage is configured"),
        ({"AzureWebJobsStorage": "UseDevelopmentStorage=true"}, "No Service Bus is configured"),
        ({"AOS_AGENTS_PACKAGE": "nowhere"}, "'agents_package' names 'nowhere'"),
        ({"AOS_LOG_LEVEL": "LOUD"}, "'log_level' from the environment"),
    ],
)
def test_a_missing_or_wrong_setting_is_named(environment: dict[str, str], said: str) -> None:
    code = "import os\nfrom aos.config import AOSConfig\nfrom aos.composition import compose, registry_of\n"
    code += "from aos.kernel.errors import AosError\n"
    code += "try:\n config = AOSConfig.load(environ=os.environ); registry_of(config); compose(config)\n"
    code += "except AosError as error: print(error.code, error.message)"
    assert said in run(code, **environment)
