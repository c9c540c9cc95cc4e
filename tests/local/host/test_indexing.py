from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aos.kernel.errors import AosError
from aos.local.host.function import BusTrigger, HttpTrigger
from aos.local.host.indexing import load_functions
from aos.local.host.settings import Settings
from tests.local.host.conftest import APP

HEAD = "import typing\nimport azure.functions as func\napp = func.FunctionApp()\n"


@pytest.fixture(autouse=True)
def _leave_no_module() -> Iterator[None]:
    path = list(sys.path)
    yield
    sys.path[:] = path
    sys.modules.pop("function_app", None)


def _load(app: Path, code: str) -> list[str]:
    (app / "function_app.py").write_text(HEAD + code)
    return [function.name for function in load_functions(app, Settings({}, app / "local.settings.json"))]


def test_every_function_is_found_with_its_names_resolved() -> None:
    settings = Settings({"QUEUE": "q", "TICK": "0 * * * * *"}, APP / "local.settings.json")
    functions = {function.name: function for function in load_functions(APP, settings)}
    assert list(functions)[:3] == ["hello", "item", "files"]
    one = functions["one"].trigger
    assert isinstance(one, BusTrigger)
    assert (one.entity, one.sessions, one.many, one.body_kind) == ("q", False, False, "undefined")
    event = functions["event"].trigger
    assert isinstance(event, BusTrigger)
    assert event.entity == "events/Subscriptions/router"
    hello = functions["hello"].trigger
    assert isinstance(hello, HttpTrigger)
    assert (hello.methods, hello.auth_level) == (frozenset({"GET", "POST"}), "anonymous")


BUS = '@app.service_bus_queue_trigger(arg_name="m", queue_name="q", connection="C", cardinality="many")\n'
RETRY = '@app.retry(strategy="fixed_delay", max_retry_count="1", delay_interval="00:00:01")\n'
HTTP = '@app.route(route="r")\n'


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ('@app.blob_trigger(arg_name="b", path="p", connection="C")\ndef f(b): ...', "'f'.*blobTrigger.*supports"),
        (HTTP + '@app.table_output(arg_name="t", table_name="t", connection="C")\ndef f(req, t): ...', "'f'.*'table'"),
        (BUS + "def f(m: list[func.ServiceBusMessage]): ...", r"typing\.List"),
        (HTTP + "def f(req: func.HttpRequest) -> func.HttpResponse | None: ...", "return value"),
        (HTTP + "def f(request: func.HttpRequest) -> str: ...", "'req'.*no parameter"),
        (HTTP + "def f(req: func.HttpRequest, extra) -> str: ...", "'extra'.*no binding"),
        (HTTP + "def f(req: 'Missing') -> str: ...", "annotations cannot be read"),
        ('@app.timer_trigger(schedule="0 * * * * *", arg_name="my_timer")\ndef f(my_timer): ...', "underscores"),
        ('@app.timer_trigger(schedule="%S%", arg_name="t")\ndef f(t): ...', "'f' needs the setting 'S'"),
        (RETRY + '@app.timer_trigger(schedule="0 * * * * *", arg_name="t")\ndef f(t): ...', "retry policy"),
        (HTTP + "def f(req): ...\n@app.function_name('f')\n" + HTTP + "def g(req): ...", "unique function name"),
        ("again = app", "exactly one variable.*app, again"),
        ("del app", "has none"),
    ],
)  # fmt: skip
def test_what_the_real_worker_or_this_host_would_not_run_is_refused(tmp_path: Path, code: str, words: str) -> None:
    with pytest.raises(AosError, match=words):
        _load(tmp_path, code)


def test_an_app_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AosError, match=r"function_app\.py is missing"):
        load_functions(tmp_path, Settings({}, tmp_path))
