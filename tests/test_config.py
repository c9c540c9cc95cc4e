from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from aos.config import AOSConfig
from aos.config_report import OTHERS, check, settings_in_force
from aos.config_sources import default_of, variables
from aos.kernel.errors import SettingInvalid

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "configuration.md"


def test_each_level_wins_over_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "aos.json"
    file.write_text(
        json.dumps(
            {"log_level": "ERROR", "environment": "staging", "storage": {"container": "filed", "table_prefix": "F"}}
        )
    )
    environ = {"AOS_LOG_LEVEL": "WARNING", "AOS_STORAGE_CONTAINER": "from-env", "AOS_TURN_SECONDS": "30"}
    config = AOSConfig.load(file=file, environ=environ, storage={"container": "given"})
    assert config.environment == "staging"
    assert config.log_level == "WARNING"
    assert (config.storage.container, config.storage.table_prefix) == ("given", "F")
    assert config.turn.seconds == 30
    assert AOSConfig.load().log_level == "INFO"


def test_the_file_can_be_named_by_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "aos.json"
    file.write_text('{"log_level": "DEBUG"}')
    assert AOSConfig.load(environ={"AOS_CONFIG_FILE": str(file)}).log_level == "DEBUG"


def test_the_seed_names_are_accepted_and_connection_strings_are_not_shown() -> None:
    config = AOSConfig.load(
        storage_connection_string="AccountKey=canary",
        servicebus_connection_string="SharedAccessKey=canary",
        environ={"APP_ENVIRONMENT": "production"},
    )
    assert config.environment == "production"
    assert config.storage_connection_string is not None
    assert config.storage_connection_string.get_secret_value() == "AccountKey=canary"
    assert "canary" not in repr(config)
    assert "canary" not in config.model_dump_json()


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"AOS_LOG_LEVEL": "LOUD"}, "'log_level' from the environment"),
        ({"AOS_API_MAX_BODY_BYTES": "many"}, "'api.max_body_bytes' from the environment"),
        ({"AOS_CONFIG_FILE": "/nowhere/aos.json"}, "cannot be read"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_with_its_source(environ: dict[str, str], said: str) -> None:
    with pytest.raises(SettingInvalid, match=said):
        AOSConfig.load(environ=environ)


def test_a_file_that_is_not_json_or_has_an_unknown_setting_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "aos.json"
    for text, said in (("{", "not JSON"), ("[]", "JSON object"), ('{"colour": 1}', "'colour' from .*aos.json")):
        file.write_text(text)
        with pytest.raises(SettingInvalid, match=said):
            AOSConfig.load(file=file)


def test_variables_in_the_file_are_filled_in_and_missing_ones_are_named(tmp_path: Path) -> None:
    file = tmp_path / "aos.json"
    file.write_text('{"storage": {"container": "${PLACE}-data", "table_prefix": "${PREFIX:-T}"}}')
    config = AOSConfig.load(file=file, environ={"PLACE": "north"})
    assert (config.storage.container, config.storage.table_prefix) == ("north-data", "T")
    with pytest.raises(
        SettingInvalid, match=r"'storage.container' from .*aos.json needs the environment variable PLACE"
    ):
        AOSConfig.load(file=file)


def test_a_refusal_says_what_to_do() -> None:
    with pytest.raises(SettingInvalid, match=r"the environment variable AOS_LOG_LEVEL .* remove it for 'INFO'"):
        AOSConfig.load(environ={"AOS_LOG_LEVEL": "LOUD"})


def test_each_setting_is_shown_with_its_source_and_secrets_are_masked(tmp_path: Path) -> None:
    file = tmp_path / "aos.json"
    file.write_text('{"turn": {"seconds": 30}, "log_level": "ERROR", "colour": "red"}')
    environ = {"AOS_LOG_LEVEL": "WARNING", "AOS_STORAGE_CONNECTION_STRING": "AccountKey=canary"}
    shown = {setting.name: (setting.value, setting.source) for setting in settings_in_force(environ, file)}
    assert shown["turn.seconds"] == (30, str(file))
    assert shown["log_level"] == ("WARNING", "the environment variable AOS_LOG_LEVEL")
    assert shown["turn.cache_seconds"] == (5.0, "the default")
    assert shown["storage_connection_string"] == ("***", "the environment variable AOS_STORAGE_CONNECTION_STRING")
    assert shown["colour"] == ("red", str(file))
    assert "canary" not in str(shown)


def test_keys_are_masked_and_show_where_they_are_from() -> None:
    environ = {"AOS_LINK_KEY": "canary", "AOS_CALLBACKS_KEY": "canary", "AOS_CALLBACKS_HOSTS": "a.example, *.b.example"}
    shown = {setting.name: (setting.value, setting.source) for setting in settings_in_force(environ)}
    assert shown["AOS_LINK_KEY"] == ("***", "the environment variable AOS_LINK_KEY")
    assert shown["AOS_LINK_KEY_PREVIOUS"] == (None, "the default")
    assert shown["callbacks.key"] == ("***", "the environment variable AOS_CALLBACKS_KEY")
    assert shown["callbacks.hosts"][0] == "a.example, *.b.example"
    assert "canary" not in str(shown)


def test_several_hosts_are_given_with_commas_or_as_a_list() -> None:
    assert AOSConfig.load(environ={"AOS_CALLBACKS_HOSTS": "a.example, *.b.example"}).callbacks.hosts == (
        "a.example",
        "*.b.example",
    )
    assert AOSConfig.load(callbacks={"hosts": ["a.example"]}).callbacks.hosts == ("a.example",)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (None, "'callbacks.key' is not"),
        ("whsec_c2hvcnQ=", "shorter than 24 bytes"),
        ("whsec_!", "not Base64"),
        ("@Microsoft.KeyVault(VaultName=v;SecretName=s)", "was not resolved"),
    ],
)
def test_a_check_says_why_callbacks_cannot_be_signed(key: str | None, said: str) -> None:
    environ = {"AosStorage": "x", "ServiceBus": "x", "AOS_CALLBACKS_HOSTS": "a.example"}
    [issue] = check({**environ, "AOS_CALLBACKS_KEY": key} if key else environ).issues
    assert said in issue
    assert not key or key not in issue


def documented() -> dict[str, tuple[list[str], str]]:
    """Settings of the table in the docs: their variables, and their default as it is written there."""
    rows = re.findall(r"^\| `([a-z_.]+)` \| (.*?) \| ?(.*?) \| .* \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: (re.findall(r"`(\w+)`", names), default.strip("`")) for name, names, default in rows}


def test_the_docs_list_every_setting_with_its_variable_and_default() -> None:
    page = documented()
    assert set(page) == set(variables(AOSConfig))
    for name, variable in variables(AOSConfig).items():
        names, written = page[name]
        assert names[0] == variable
        default = default_of(AOSConfig, name)
        if default is None or default == () or name == "scheduler.reserved":
            assert written in ("", "a tenth")
        elif isinstance(default, bool):
            assert written == str(default).lower()
        else:
            assert written == (f"{default:g}" if isinstance(default, float) else str(default))


def test_the_docs_list_every_other_variable() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in sorted(OTHERS) if f"`{name}`" not in text] == []


def test_the_example_settings_are_settings() -> None:
    values = json.loads((ROOT / "local.settings.example.json").read_text(encoding="utf-8"))["Values"]
    report = check(values)
    assert (report.issues, report.warnings) == ((), ())
    assert AOSConfig.load(environ=values).environment == "local"


def test_a_check_names_everything_that_is_wrong(tmp_path: Path) -> None:
    bad = {"AOS_LOG_LEVEL": "LOUD", "AOS_TURN_SECONDS": "-1", "AOS_LOGLEVEL": "INFO", "AOS_XYZZY": "1"}
    report = check(bad)
    said = "\n".join(report.issues)
    for part in ("'log_level'", "'turn.seconds'", "No storage is configured", "No Service Bus is configured"):
        assert part in said
    assert not report.valid
    [near, strange] = report.warnings
    assert "Did you mean AOS_LOG_LEVEL?" in near
    assert "AOS_XYZZY" in strange
    good = check({"AosStorage__tableServiceUri": "https://x", "ServiceBus": "Endpoint=sb://x"})
    assert (good.valid, good.warnings, good.storage_configured, good.bus_configured) == (True, (), True, True)
    assert {"cto", "code"} <= set(good.agents)
    registry = tmp_path / "agents.json"
    registry.write_text('{"agents": [{"agent_id": "cfo"}]}')
    wrong = check({"AOS_AGENT_REGISTRY": str(registry), "AosStorage": "x", "ServiceBus": "x"})
    assert "agent 'cfo': `purpose`: Field required" in wrong.issues[0]
    assert "cannot be read" in check({"AOS_CONFIG_FILE": "/nowhere"}).issues[0]
