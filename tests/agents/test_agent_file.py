"""`.agent.md` files: what they declare, and what is said of those that are not right."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from aos.agents import AgentRegistry
from aos.agents.agent_file import AgentFile, find_agent_files, parse_agent_file, read_agent_file
from aos.agents.declaration import agent_id
from aos.agents.installed import declare_files
from aos.agents.wake import Wake
from aos.kernel.errors import InvalidInput

FULL = """---
name: Morning Writer
description: Writes the morning summary.
purpose: Keep everybody informed
model: [openai/gpt-5-mini, anthropic]
tools: [search]
triggers:
  - name: morning
    cron: "0 7 * * 1-5"
    zone: Europe/Zurich
    prompt: Write the morning summary.
  - every: 15m
    quiet: 22:00-07:00
  - topic: orders.*
    prompt: Take note.
publish: summaries
budget:
  usd_per_day: 1.5
limits:
  messages: 10
metadata:
  owner: ops
---
You write short summaries.
"""

THEIRS = """---
name: Daily report
description: Reports daily.
trigger:
  type: timer_trigger
  args:
    schedule: "0 0 7 * * *"
model: gpt-4o-mini
timeout: 60
builtin_endpoints: true
logger: true
tools:
  exclude: [bash]
mcp: true
metadata:
  team: finance
---
Mail $TO_EMAIL. Costs %PRICE%. Literal $$HOME, unknown $NOTHING.

```sh
echo $TO_EMAIL
```
"""


def parse(text: str, stem: str = "writer", **environ: str) -> AgentFile:
    return parse_agent_file(text, source="writer.agent.md", stem=stem, environ=environ)


def clock_wakes(found: AgentFile) -> list[Wake]:
    """The wakes it declares, all of them by the clock."""
    wakes = [wake for wake in found.declaration.wakes if isinstance(wake, Wake)]
    assert len(wakes) == len(found.declaration.wakes)
    return wakes


def test_all_fields_are_read() -> None:
    found = parse(FULL, "Morning.Writer")
    declared = found.declaration
    assert found.warnings == ()
    assert (declared.id, declared.name, declared.purpose) == (
        "morning_writer",
        "Morning Writer",
        "Keep everybody informed",
    )
    assert declared.model == ("openai/gpt-5-mini", "anthropic")
    assert declared.instructions == "You write short summaries."
    morning, often = clock_wakes(found)
    assert (morning.name, morning.cron, morning.zone) == ("morning", "0 0 7 * * 1-5", "Europe/Zurich")
    assert (often.name, often.every, often.quiet) == ("wake-2", timedelta(minutes=15), ("22:00-07:00",))
    assert declared.prompt_of_wake("morning") == "Write the morning summary."
    assert (declared.budget.usd_per_day, declared.limits.messages) == (1.5, 10)
    assert type(declared).model_validate(declared.to_json()) == declared


def test_a_file_of_azure_functions_agents_is_read_and_what_has_no_effect_is_said() -> None:
    found = parse(THEIRS, "daily_report", TO_EMAIL="a@b.example", PRICE="3")
    declared = found.declaration
    assert [wake.cron for wake in clock_wakes(found)] == ["0 0 7 * * *"]
    assert (declared.model, declared.limits.seconds, declared.metadata) == (("gpt-4o-mini",), 60, {"team": "finance"})
    assert "Mail a@b.example. Costs 3. Literal $HOME, unknown $NOTHING." in declared.instructions
    assert "echo $TO_EMAIL" in declared.instructions
    said = "\n".join(found.warnings)
    for line, name in ((10, "builtin_endpoints"), (11, "logger"), (12, "tools"), (14, "mcp")):
        assert f"writer.agent.md, line {line}: `{name}`" in said
    literal = parse(THEIRS.replace("logger: true", "substitute_variables: false"), TO_EMAIL="x")
    assert "Mail $TO_EMAIL" in literal.declaration.instructions


def test_their_triggers_are_translated_or_said_to_have_no_effect() -> None:
    topic = (
        "---\nname: A\ndescription: B\ntrigger:\n  type: service_bus_topic_trigger\n  args: {topic_name: news}\n---\nC"
    )
    assert parse(topic).declaration.triggers[0].topic == "news"
    queue = topic.replace("service_bus_topic_trigger", "queue_trigger")
    assert "`queue_trigger` has no effect" in parse(queue).warnings[0]
    http = topic.replace("service_bus_topic_trigger", "http_trigger")
    assert "send `agent.query`" in parse(http).warnings[0]


HEAD = "---\nname: A\ndescription: B\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: A", "line 1: the file must start with `---`"),
        ("---\nname: A", "line 2: the front matter has no end"),
        (f"{HEAD}budget: {{usd_per_day: -1}}\n---\nC", "line 4: `budget.usd_per_day`"),
        (f"{HEAD}colour: red\n---\nC", "line 4: there is no field `colour`. Remove it"),
        (f"{HEAD}modle: gpt\n---\nC", "line 4: there is no field `modle`. Did you mean `model`?"),
        (f"{HEAD}---\n\n", "line 5: there are no instructions"),
        (f"{HEAD}a: [1\n---\nC", "the front matter is not YAML"),
        ("---\n- a\n---\nC", "must be a list of fields"),
        ("---\nname: A\n---\nC", "`description`: Field required"),
        (f"{HEAD}triggers:\n  - cron: nonsense\n---\nC", "line 5: `triggers.0.cron`: "),
        (f"{HEAD}triggers:\n  - every: 1h\n  - topic: x\n    every: 1h\n---\nC", "line 6: `triggers.1`: "),
        (f"{HEAD}trigger: daily\n---\nC", "line 4: `trigger` needs a `type`"),
        (f"{HEAD}trigger: {{type: timer_trigger}}\n---\nC", "needs `schedule` under `args`"),
        (f"{HEAD}triggers: [{{name: a, every: 1h}}, {{name: a, every: 2h}}]\n---\nC", "two are named 'a'"),
    ],
)
def test_what_is_wrong_is_named_with_file_line_and_remedy(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(text)
    assert "writer.agent.md" in caught.value.message
    assert said in caught.value.message


def test_files_are_found_in_the_folder_and_right_below_it_and_registered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "sub" / "deeper").mkdir(parents=True)
    (tmp_path / "writer.agent.md").write_text(FULL)
    (tmp_path / "sub" / "report.agent.md").write_text(THEIRS)
    (tmp_path / "sub" / "deeper" / "hidden.agent.md").write_text(FULL)
    (tmp_path / "off.agent.md").write_text(f"{HEAD}enabled: false\n---\nC")
    names = [path.name for path in find_agent_files([str(tmp_path)])]
    assert names == ["off.agent.md", "report.agent.md", "writer.agent.md"]
    registry = AgentRegistry()
    declare_files([str(tmp_path)], registry, {})
    assert {agent.type for agent in registry} == {"writer", "report"}
    assert "`builtin_endpoints` has no effect" in caplog.text
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_agent_file(tmp_path / "nothing.agent.md", environ={})


def test_ids_are_made_from_file_names() -> None:
    assert [agent_id(name) for name in ("Daily Report!", "2nd", "a-b_c")] == ["daily_report", "fn_2nd", "a-b_c"]
    with pytest.raises(InvalidInput, match="cannot be made"):
        agent_id("…")


def test_the_file_of_the_documentation_is_right() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "declarative-agents.md").read_text(encoding="utf-8")
    text = page.split("```markdown\n")[1].split("```")[0]
    found = parse(text, "writer")
    assert found.warnings == ()
    assert [wake.name for wake in found.declaration.wakes] == ["morning"]
