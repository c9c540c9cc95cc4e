"""Agent and app registries as other systems keep them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aos.agents import AgentRegistry
from aos.agents.agent_registry_file import read_registry_file, read_rows, read_server_names
from aos.agents.app_registry import AppRegistry
from aos.agents.installed import declare_registry_file
from aos.composition import registry_of
from aos.config import AOSConfig
from aos.config_report import check
from aos.kernel.errors import InvalidInput, NotFound, SettingInvalid

CEO: dict[str, Any] = {
    "agent_id": "ceo",
    "agent_type": "leadership",
    "purpose": "Lead the company",
    "purpose_scope": "Strategy",
    "success_criteria": ["growth", "trust"],
    "domain_knowledge": {
        "domain": "leadership",
        "training_data_path": "training/leadership.jsonl",
        "adapter_config": {"task_type": "causal_lm", "r": 16, "lora_alpha": 32, "target_modules": ["q_proj", "v_proj"]},
    },
    "mcp_tools": [{"server_name": "github", "tool_name": "create_issue"}],
    "system_message": "You lead.",
    "enabled": True,
    "metadata": {"name": "Chief"},
}
CFO = {"agent_id": "cfo", "purpose": "Mind the money", "success_criteria": ["solvent"], "enabled": False}


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_rows_become_declarations(tmp_path: Path) -> None:
    found = read_registry_file(write(tmp_path / "a.json", {"agents": [CEO, CFO]}), servers={"github"})
    assert found.problems == ()
    ceo, cfo = found.declarations
    assert (ceo.id, ceo.name, ceo.kind, ceo.domain, ceo.instructions) == (
        "ceo",
        "Chief",
        "leadership",
        "leadership",
        "You lead.",
    )
    assert ceo.metadata["domain_knowledge"]["adapter_config"]["lora_alpha"] == 32
    assert "You succeed when:\n- solvent" in cfo.instructions
    registry = AgentRegistry()
    declare_registry_file(tmp_path / "a.json", registry)
    assert [agent.type for agent in registry] == ["ceo"]


def test_every_server_a_tool_names_must_be_there(tmp_path: Path) -> None:
    servers = write(tmp_path / "s.json", {"servers": [{"server_id": "erp", "server_name": "erpnext"}]})
    assert read_server_names(servers) == {"erp", "erpnext"}
    found = read_rows([CEO], source="a.json", servers=read_server_names(servers))
    [problem] = found.problems
    assert problem.startswith("a.json, agent 'ceo': `mcp_tools` names the server 'github', which is not registered.")
    assert "erp, erpnext" in problem
    assert read_server_names(write(tmp_path / "m.json", {"mcp_servers": {"github": {}}})) == {"github"}


def test_the_tools_of_a_row_are_granted(tmp_path: Path) -> None:
    registry = AgentRegistry()
    file = write(tmp_path / "a.json", {"agents": [CEO]})
    declare_registry_file(file, registry, servers={"github"})
    ceo = registry.behaviour("ceo")
    assert ceo is not None
    assert ceo.mcp == ("github.create_issue",)


def test_a_system_does_not_start_where_a_server_is_missing(tmp_path: Path) -> None:
    rows = write(tmp_path / "a.json", {"agents": [CEO]})
    servers = write(tmp_path / "mcp.json", {"servers": {"search": {"url": "https://search.example/mcp"}}})
    environ = {"AOS_AGENT_REGISTRY": str(rows), "AOS_MCP_FILE": str(servers), "AOS_AGENTS_PACKAGE": ""}
    said = "agent 'ceo': `mcp_tools` names the server 'github', which is not registered. There are: search."
    with pytest.raises(SettingInvalid) as refused:
        registry_of(AOSConfig.load(environ=environ), environ)
    assert said in str(refused.value)
    assert any(said in issue for issue in check(environ).issues)
    write(servers, {"servers": {"github": {"url": "https://github.example/mcp"}}})
    registry = registry_of(AOSConfig.load(environ=environ), environ)
    assert registry.behaviour("ceo") is not None


def test_what_is_wrong_is_said_for_each_row(tmp_path: Path) -> None:
    rows = [{**CEO, "agent_type": "boss"}, {"agent_id": "x", "purpose": "p", "colour": 1}, CFO, CFO, "text"]
    said = "\n".join(read_rows(rows, source="a.json").problems)
    assert "agent 'ceo': `agent_type`: Input should be" in said
    assert "agent 'x': `colour`: Extra inputs" in said
    assert "there is another agent 'cfo'" in said
    assert "agent 4: " in said
    file = write(tmp_path / "a.json", rows)
    with pytest.raises(SettingInvalid, match="'agent_registry'"):
        declare_registry_file(file, AgentRegistry())
    wrong: list[Any] = [{"rows": []}, "x"]
    for content in wrong:
        with pytest.raises(InvalidInput, match="no list `agents`"):
            read_registry_file(write(file, content))
    file.write_text("{")
    with pytest.raises(InvalidInput, match="not JSON"):
        read_registry_file(file)
    with pytest.raises(InvalidInput, match="no list `servers`"):
        read_server_names(write(file, {}))
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_registry_file(tmp_path / "none.json")


APP: dict[str, Any] = {
    "app_id": "business_infinity",
    "app_name": "Business Infinity",
    "app_type": "business_application",
    "purpose": "Decide",
    "agents_to_orchestrate": [
        {"agent_id": "cfo", "role": "finance", "configuration": {"budget_approval_threshold": 100000}}
    ],
    "mcp_servers_required": ["erpnext"],
    "enabled": True,
    "version": "1.0.0",
}


def test_apps_are_found_by_id_type_and_agent(tmp_path: Path) -> None:
    other = {**APP, "app_id": "servers", "app_type": "mcp_server", "agents_to_orchestrate": [], "enabled": False}
    apps = AppRegistry.read(write(tmp_path / "apps.json", {"version": "1.0", "apps": [APP, other]}))
    assert (len(apps), apps.problems) == (2, ())
    assert apps.get("business_infinity").agents_to_orchestrate[0].configuration["budget_approval_threshold"] == 100000
    assert [app.app_id for app in apps.enabled()] == ["business_infinity"]
    assert [app.app_id for app in apps.of_type("mcp_server")] == ["servers"]
    assert [app.app_id for app in apps.using("cfo")] == ["business_infinity"]
    with pytest.raises(NotFound, match="business_infinity, servers"):
        apps.get("none")
    assert apps.check(agents={"cfo"}, servers={"erpnext"}) == apps.check() == []
    [agent, server] = apps.check(agents={"ceo"}, servers=[])
    assert "needs the agent 'cfo'" in agent
    assert "needs the MCP server 'erpnext'" in server


def test_apps_that_are_not_right_are_left_out_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "apps.json"
    apps = AppRegistry.read(write(file, {"apps": [{**APP, "app_type": "game"}, APP, APP, 7]}))
    said = "\n".join(apps.problems)
    assert len(apps) == 1
    assert "app 'business_infinity': `app_type`" in said
    assert "the id is taken" in said
    wrong: list[Any] = [[], {"apps": {}}, {"version": "2.0", "apps": []}]
    for content in wrong:
        with pytest.raises(InvalidInput):
            AppRegistry.read(write(file, content))
