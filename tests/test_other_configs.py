"""The configuration files of other systems: their samples, their defaults, and what is said of mistakes in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aos.agents.app_registry import AppRegistry
from aos.cli.commands import app
from aos.config import AOSConfig
from aos.consolidated_config import ConsolidatedConfig
from aos.kernel.errors import SettingInvalid
from aos.self_learning_config import SelfLearningConfig

SAMPLES = Path(__file__).parent.parent / "config"


def written(folder: Path, content: Any) -> Path:
    path = folder / "file.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_the_samples_are_right() -> None:
    consolidated = ConsolidatedConfig.read(SAMPLES / "consolidated_config.json", {})
    learning = SelfLearningConfig.read(SAMPLES / "self_learning_config.json", {})
    apps = AppRegistry.read(SAMPLES / "example_app_registry.json")
    assert consolidated.multi_agent.default_domains == ("leadership", "sales", "hr", "marketing")
    assert consolidated.self_learning.repositories["erp"].coding_agent == "code"
    assert sorted(learning.domain_mcp_servers) == ["crm", "erp", "finance"]
    assert (len(apps), apps.problems) == (3, ())
    cfo = apps.get("business_infinity").agents_to_orchestrate[0]
    assert cfo.configuration == {"budget_approval_threshold": 100_000}
    assert not [warning for warning in consolidated.warnings() if "not a field" in warning]


def test_what_is_left_out_has_the_defaults(tmp_path: Path) -> None:
    path = written(tmp_path, {})
    config, learning = ConsolidatedConfig.read(path, {}), SelfLearningConfig.read(path, {})
    assert (config.a2a_communication.message_queue_size, config.a2a_communication.message_timeout) == (1_000, 60)
    assert (config.logging.qa_container, config.logging.qa_blob) == ("qa", "qabatch.jsonl")
    assert (learning.self_learning.check_interval_seconds, learning.self_learning.max_pending_implementations) == (
        300,
        50,
    )
    assert (config.settings(), config.warnings(), learning.warnings({})) == ({}, [], [])


def test_what_is_a_setting_here_is_taken_over_and_secrets_are_not_shown(tmp_path: Path) -> None:
    content = {"logging": {"level": "ERROR"}, "azure_function": {"storage_connection": "${STORE}"}}
    config = ConsolidatedConfig.read(written(tmp_path, content), {"STORE": "AccountKey=hush"})
    taken = AOSConfig.load(**config.settings())
    assert taken.log_level == "ERROR"
    assert taken.storage_connection_string is not None
    assert taken.storage_connection_string.get_secret_value() == "AccountKey=hush"
    assert "hush" not in repr(config)


def test_what_has_no_effect_or_is_unknown_is_named(tmp_path: Path) -> None:
    content = {"multi_agent": {"agent_timeout": 5}, "loging": {}, "logging": {"levle": "INFO"}}
    assert sorted(ConsolidatedConfig.read(written(tmp_path, content), {}).warnings()) == [
        "`logging.levle` is not a field of this file.",
        "`loging` is not a field of this file.",
        "`multi_agent.agent_timeout` has no effect here.",
    ]
    erp = {"domain_mcp_servers": {"erp": {"uri": "wss://erp.example", "api_key_env": "ERP_KEY", "oops": 1}}}
    learning = SelfLearningConfig.read(written(tmp_path, erp), {})
    assert learning.warnings({}) == [
        "`domain_mcp_servers.erp.api_key_env` names ERP_KEY, which is not set.",
        "`domain_mcp_servers.erp.oops` is not a field of this file.",
    ]
    assert len(learning.warnings({"ERP_KEY": "x"})) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"logging": {"level": "LOUD"}}, "logging.level"),
        ({"azure_function": {"ml_endpoint_key": "${NOT_THERE}"}}, "NOT_THERE"),
        ({"multi_agent": {"max_concurrent_agents": 0}}, "max_concurrent_agents"),
        ([], "JSON object"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_name(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(SettingInvalid, match=said):
        ConsolidatedConfig.read(written(tmp_path, content), {})


def test_the_command_line_checks_them(tmp_path: Path) -> None:
    bad = written(tmp_path, {"domain_mcp_servers": {"erp": {"uri": "nowhere"}}})
    words = ["config", "check", "--consolidated", str(SAMPLES / "consolidated_config.json"), "--json"]
    shown = json.loads(CliRunner().invoke(app, words).stdout)
    assert any("multi_agent.agent_timeout" in warning for warning in shown["warnings"])
    refused = CliRunner().invoke(app, ["config", "check", "--self-learning", str(bad), "--json"])
    assert refused.exit_code == 1
    assert "domain_mcp_servers.erp.uri" in refused.stdout
