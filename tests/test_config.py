from __future__ import annotations

import json
from pathlib import Path

import pytest

from aos.config import AOSConfig
from aos.kernel.errors import SettingInvalid


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
