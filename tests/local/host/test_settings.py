from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aos.kernel.errors import SettingInvalid, SettingMissing
from aos.local.host.host_json import HostFile
from aos.local.host.settings import Settings


def _settings(app: Path, document: Any, environment: dict[str, str] | None = None) -> Settings:
    (app / "local.settings.json").write_text(json.dumps(document))
    return Settings.load(app, environment if environment is not None else {})


def test_values_become_settings_unless_the_environment_has_them(tmp_path: Path) -> None:
    environment = {"A": "environment"}
    settings = _settings(tmp_path, {"Values": {"A": "file", "B": "file"}}, environment)
    assert (settings.get("A"), settings.get("B")) == ("environment", "file")
    assert environment["B"] == "file"
    assert settings.resolve("x-%A%-%B%", "it") == "x-environment-file"


def test_a_missing_setting_is_named_with_its_user_and_its_place(tmp_path: Path) -> None:
    settings = _settings(tmp_path, {"Values": {}})
    with pytest.raises(SettingMissing, match=r"Function 'f' needs the setting 'X'.*local\.settings\.json"):
        settings.resolve("%X%", "Function 'f'")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"IsEncrypted": True}, "decrypt"),
        ({"Values": {"A": 1}}, "'A' must be a text"),
        ({"Values": []}, "an object"),
        ([], "a JSON object"),
    ],
)
def test_a_settings_file_that_cannot_be_used_says_why(tmp_path: Path, document: Any, words: str) -> None:
    with pytest.raises(SettingInvalid, match=words):
        _settings(tmp_path, document)


def _host_file(app: Path, text: str, **environment: str) -> HostFile:
    (app / "host.json").write_text(text)
    return HostFile.load(app, Settings(dict(environment), app / "local.settings.json"))


def test_host_json_has_the_real_defaults(tmp_path: Path) -> None:
    file = _host_file(tmp_path, '{"version": "2.0"}')
    assert (file.route_prefix, file.function_timeout) == ("api", 1800)
    assert (file.bus.max_concurrent_sessions, file.bus.max_concurrent_calls, file.bus.prefetch) == (8, 16, 0)
    assert (file.bus.max_batch, file.bus.max_lock_renewal, file.bus.auto_complete) == (1000, 300, True)


def test_host_json_is_honoured_and_overridden_from_the_environment(tmp_path: Path) -> None:
    bus = {"maxConcurrentSessions": 3, "sessionIdleTimeout": "1.00:00:01.5", "autoCompleteMessages": False}
    text = json.dumps(
        {
            "version": "2.0",
            "functionTimeout": "-1",
            "extensions": {"http": {"routePrefix": ""}, "serviceBus": bus},
        }
    )
    file = _host_file(tmp_path, text, AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentSessions="5")
    assert (file.route_prefix, file.function_timeout) == ("", None)
    assert (file.bus.max_concurrent_sessions, file.bus.session_idle, file.bus.auto_complete) == (
        5,
        86401.5,
        False,
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON"),
        ("{}", "version"),
        ('{"version": "2.0", "functionTimeout": "5 minutes"}', "functionTimeout.*not a duration"),
        ('{"version": "2.0", "extensions": {"serviceBus": {"prefetchCount": -1}}}', "prefetchCount"),
        ('{"version": "2.0", "extensions": {"serviceBus": {"maxConcurrentCalls": "x"}}}', "maxConcurrentCalls"),
        ('{"version": "2.0", "extensions": {"serviceBus": {"autoCompleteMessages": 1}}}', "autoComplete"),
        ('{"version": "2.0", "extensions": []}', "extensions"),
    ],
)
def test_a_host_json_that_cannot_be_used_says_why(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SettingInvalid, match=words):
        _host_file(tmp_path, text)
