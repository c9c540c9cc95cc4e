"""Workflows built in Python."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aos.kernel.errors import InvalidInput
from aos.workflows.definition.builder import WorkflowBuilder, expression, item
from aos.workflows.definition.graph import as_graph
from aos.workflows.definition.known import KnownNames
from aos.workflows.definition.workflow import Workflow
from aos.workflows.definition.workflow_file import parse_workflow

WRITTEN = """\
name: refund
title: Refund an order
budget: 2
on_failure: compensate
inputs:
  amount: number
steps:
  - {id: check, agent: cashier, message: refund.check, with: {amount: "${{ inputs.amount }}"}, retry: {attempts: 3}}
  - {id: ok, wait: {approval: {prompt: "Refund ${{ inputs.amount }}?"}}, when: inputs.amount > 100, timeout: 1d}
  - id: pay
    tool: payments.refund
    with: {order: "${{ steps.check.output.order }}", first: "${{ steps.check.output.lines[0] }}"}
    needs: [ok]
    compensate: {tool: payments.take, with: {id: "${{ steps.pay.output.id }}"}}
  - id: tell
    map:
      over: ${{ steps.check.output.people }}
      as: person
      concurrency: 5
      step: {agent: mail, with: {to: "${{ person.address }}"}}
    optional: true
    needs: [pay]
  - {id: polish, loop: {step: {model: "Say it better"}, until: last.good, most: 3}}
  - {id: later, wait: {for: 2h}}
  - {id: then, wait: {until: "2030-01-31"}}
  - {id: paid, wait: {event: {topic: paid, where: event.amount > 0}}}
  - {id: ask, wait: {question: {prompt: "How was it?"}}}
  - {id: sub, workflow: other, with: {x: "${{ steps.ask.output }}"}}
  - {id: talk, team: crew, with: {task: "${{ steps.ask.output }}"}}
  - {id: say, model: Thanks, system: Be brief, schema: {type: object}, route: small}
outputs:
  sure: ${{ steps.check.output.sure }}
"""


def built() -> Workflow:
    flow = WorkflowBuilder("refund", title="Refund an order", budget=2, on_failure="compensate")
    amount = flow.input("amount", "number")
    check = flow.agent("check", "cashier", message="refund.check", with_={"amount": amount}, retry={"attempts": 3})
    ok = flow.approval(
        "ok", {"prompt": f"Refund {amount}?"}, when=f"{expression(amount)} > 100", timeout=timedelta(days=1)
    )
    pay = flow.tool(
        "pay",
        "payments.refund",
        with_={"order": check.output["order"], "first": check.output["lines"][0]},
        needs=[ok],
        compensate={"tool": "payments.take", "with": {"id": "${{ steps.pay.output.id }}"}},
    )
    mail = {"agent": "mail", "with": {"to": item("person")["address"]}}
    flow.map("tell", check.output["people"], mail, as_="person", concurrency=5, optional=True, needs=[pay])
    flow.loop("polish", {"model": "Say it better"}, until="last.good", most=3)
    flow.wait("later", "2h")
    flow.wait_until("then", "2030-01-31")
    flow.event("paid", "paid", where="event.amount > 0")
    ask = flow.question("ask", {"prompt": "How was it?"})
    flow.workflow("sub", "other", with_={"x": ask})
    flow.team("talk", "crew", with_={"task": ask.output})
    flow.model("say", "Thanks", system="Be brief", schema={"type": "object"}, route="small")
    flow.output("sure", check.output["sure"])
    return flow.build()


def test_what_is_built_is_what_would_be_written() -> None:
    assert built().to_json() == parse_workflow(WRITTEN).workflow.to_json()


def test_a_step_needs_those_whose_results_it_is_given() -> None:
    graph = as_graph(built())
    assert graph.needs[graph.place("pay")] == (graph.place("check"), graph.place("ok"))


def test_what_is_wrong_is_found_when_it_is_built() -> None:
    flow = WorkflowBuilder("refund")
    flow.agent("check", "cashir")
    with pytest.raises(InvalidInput, match="Did you mean 'cashier'"):
        flow.build(KnownNames(agents={"cashier"}))
    flow.tool("pay", "t", needs=["chekc"])
    with pytest.raises(InvalidInput, match="Did you mean 'check'"):
        flow.build()


def test_names_with_dashes_and_words_of_python_can_be_used() -> None:
    flow = WorkflowBuilder("f")
    step = flow.agent("to-do", "x", with_={"a": flow.input("from")})
    flow.agent("b", "x", with_={"c": step.output["is"], "d": step.status})
    assert as_graph(flow.build()).needs == ((), (0,))
