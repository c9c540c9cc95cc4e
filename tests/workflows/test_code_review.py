"""The main job, over memory: three examiners, the CTO, a report; and again, with what changed."""

from __future__ import annotations

import json
from pathlib import Path

from aos.agents import discover
from aos.llm.installed import InstalledModels
from aos.testing.models import ModelServer, Say
from aos.tools.review.archive import pack
from aos.workflows.tasks.task_request import TaskRequest
from tests.harness import MemorySystem

KEY = "canary-key"
CLEAN = '"""Adds."""\n\n\ndef add(a: int, b: int) -> int:\n    """Return the sum of two numbers."""\n    return a + b\n'
DANGEROUS = '"""Runs what it is told."""\n\nimport os\n\n\ndef run(text):\n    return eval(text)\n'


def system(models: InstalledModels | None = None) -> MemorySystem:
    import agents

    world = MemorySystem(models=models, folders=list(agents.__path__))
    discover(agents, world.registry)
    return world


async def review(world: MemorySystem, folder: Path, key: str) -> dict[str, object]:
    source = await world.system.artifacts.put("source.tar.gz", await pack(folder), "application/gzip")
    request = TaskRequest(
        task_type="code_review", title="Review", target="/srv/project", parameters={"source": source.id}
    )
    task_id, _ = await world.system.tasks.submit(request, idempotency_key=key)
    await world.settle()
    return await world.system.tasks.detail(task_id)


async def test_a_review_ends_in_a_report_and_the_next_one_says_what_changed(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(CLEAN)
    (tmp_path / "bad.py").write_text(DANGEROUS)
    world = system()
    task = await review(world, tmp_path, "first")
    assert task["status"] == "completed", task["error"]
    assert task["progress"] == 1.0
    result = task["result"]
    assert isinstance(result, dict)
    assert result["changes"]["first_run"] is True
    report = json.loads(await world.system.artifacts.get(result["report"]["json"]))
    findings = [finding for part in report["examinations"] for finding in part["findings"]]
    [eval_] = [f for f in findings if f["tool"] == "bandit" and f["file"] == "bad.py"]
    assert eval_["line"] == 7
    assert "eval" in eval_["evidence"]
    assert report["verdict"]["selected"] == result["decision"]
    assert len(report["verdict"]["alternatives"]) == 3
    markdown = (await world.system.artifacts.get(result["report"]["markdown"])).decode()
    assert "bad.py" in markdown
    [entry] = await world.system.directory.journal("cto")
    assert entry.decisions[0]["rationale"] == result["rationale"]
    assert len(entry.decisions[0]["evidence"]) == 3

    (tmp_path / "bad.py").write_text(CLEAN)
    (tmp_path / "worse.py").write_text(DANGEROUS)
    task = await review(world, tmp_path, "second")
    result = task["result"]
    assert isinstance(result, dict)
    changes = result["changes"]
    assert changes["first_run"] is False
    assert changes["new"] >= 1
    assert changes["fixed"] >= 1
    assert changes["still_there"] >= 1


def installed(server: ModelServer) -> InstalledModels:
    environ = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": f"{server.url}/v1"}

    async def secret(name: str) -> str | None:
        return environ.get(name)

    return InstalledModels(environ, secrets=secret)


async def test_with_a_model_the_review_has_words_and_a_judgement_and_the_journal_has_the_cost(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(DANGEROUS)
    judgement = json.dumps({"choice": "send back for rework", "reason": "It runs what it is told."})
    async with ModelServer(
        Say("Mend bad.py first."), Say("Mend bad.py first."), Say("Mend bad.py first."), Say(judgement), key=KEY
    ) as server:
        models = installed(server)
        world = system(models)
        task = await review(world, tmp_path, "k")
        await models.close()
    assert task["status"] == "completed", task["error"]
    result = task["result"]
    assert isinstance(result, dict)
    report = json.loads(await world.system.artifacts.get(result["report"]["json"]))
    assert "Mend bad.py first." in report["notes"].values()
    [entry] = await world.system.directory.journal("cto")
    assert entry.decisions[0]["evidence"][-1]["choice"] == "send back for rework"
    assert entry.usage["model_calls"] == 1
    assert KEY not in json.dumps(
        [e.to_json() for a in ("code", "cto") for e in await world.system.directory.journal(a)]
    )


async def test_a_model_that_fails_does_not_fail_the_review(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(DANGEROUS)
    async with ModelServer(key="another key") as server:
        models = installed(server)
        world = system(models)
        task = await review(world, tmp_path, "k")
        await models.close()
    assert task["status"] == "completed", task["error"]
    [entry] = await world.system.directory.journal("cto")
    assert "model.unavailable" in [fact["kind"] for fact in entry.facts]


async def test_a_source_that_is_not_there_fails_the_task_and_says_so(tmp_path: Path) -> None:
    world = system()
    request = TaskRequest(
        task_type="code_review", title="Review", target="x", parameters={"source": "0" * 64 + "/source.tar.gz"}
    )
    task_id, _ = await world.system.tasks.submit(request)
    await world.settle()
    task = await world.system.tasks.detail(task_id)
    assert task["status"] == "failed"
    assert task["error"]["code"] == "not_found"
    assert "Upload it first" in task["error"]["message"]
