"""Kills an agent at every place where its process can die, and looks for what is lost or done twice."""

from __future__ import annotations

from aos.testing.crash_report import CrashReport, Finding
from aos.testing.crash_world import CrashWorld, MakeAgents, NeverEnds
from aos.testing.faults import Action, Fault, FaultPlan, crashes
from aos.testing.scenario import Scenario


async def crash_test(agent: MakeAgents, scenario: Scenario) -> CrashReport:
    """Run a scenario once undisturbed, then once for every place where the process can die.

    It dies before and after each operation of storage and bus, each step and each external call. A new process then
    takes over and finishes the work. What happened outside, and what was sent, is compared with the undisturbed run.

    Args:
        agent: Makes the agent, or several, for a process; handed the `ExternalCalls` to give to it in place of clients
            for other systems. An agent class that takes them as its only argument will do.
        scenario: What is sent and answered.

    Raises:
        AssertionError: without any crash a check of the scenario fails, or the agents never come to rest.
    """
    undisturbed = CrashWorld(agent, scenario)
    log = await undisturbed.run(FaultPlan())
    for check in scenario.checks:
        check(await undisturbed.finished())
    findings: list[Finding] = []
    places: list[str] = []
    for fault in crashes(log):
        place = _place(fault, log)
        places.append(place)
        world = CrashWorld(agent, scenario)
        try:
            await world.run(FaultPlan(fault))
        except NeverEnds as error:
            findings.append(Finding("unfinished", str(error), place))
            continue
        findings += await _compare(undisturbed, world, place)
        findings += await _check(scenario, world, place)
    unprotected = dict.fromkeys(effect.name for effect in undisturbed.ledger.effects if not effect.protected)
    return CrashReport(tuple(places), tuple(findings), tuple(unprotected))


async def _compare(undisturbed: CrashWorld, world: CrashWorld, place: str) -> list[Finding]:
    steps = {effect.name: effect.step for effect in world.ledger.effects}
    expected = undisturbed.ledger.count() + await undisturbed.sent()
    happened = world.ledger.count() + await world.sent()
    return [
        Finding(
            "doubled" if happened[name] > expected[name] else "lost",
            name,
            place,
            happened[name],
            expected[name],
            steps.get(name),
        )
        for name in sorted(expected | happened)
        if happened[name] != expected[name]
    ]


async def _check(scenario: Scenario, world: CrashWorld, place: str) -> list[Finding]:
    finished = await world.finished()
    failed: list[Finding] = []
    for check in scenario.checks:
        try:
            check(finished)
        except AssertionError as error:
            failed.append(Finding("failed check", str(error).partition("\n")[0] or check.__name__, place))
    return failed


def _place(fault: Fault, log: list[str]) -> str:
    moment = "before" if fault.action is Action.CRASH else "after"
    return f"{moment} {log[fault.at - 1]}, operation {fault.at} of {len(log)}"
