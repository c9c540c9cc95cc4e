"""Tools from plain functions: names, schemas, validation, and declarations that contradict themselves."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from aos.kernel.errors import AlreadyExists, InvalidInput, NotFound, SettingInvalid
from aos.tools import Tool, ToolContext, ToolRegistry, Undo, tool


class Passenger(BaseModel):
    name: str
    age: int | None = None


async def cancel(undo: Undo) -> None: ...


@tool(effect="reversible", risk="medium", compensation=cancel, permissions=("travel:book",), timeout=5)
async def book(
    flight: Annotated[str, Field(min_length=2)],
    passengers: list[Passenger],
    context: ToolContext,
    cabin: Literal["economy", "business"] = "economy",
) -> dict[str, Any]:
    """Book a flight
    for passengers.

    Args:
        flight: Number of the flight,
            such as LH400.
        passengers: Who flies.
        cabin: Where they sit.

    Returns:
        The booking.
    """
    return {"flight": flight, "who": [passenger.name for passenger in passengers], "key": context.idempotency_key}


def test_a_row_says_all_there_is_to_know_of_a_tool() -> None:
    row = book.row()
    assert {name: row[name] for name in row if name != "parameters"} == {
        "name": "book",
        "description": "Book a flight for passengers.",
        "required_permissions": ["travel:book"],
        "is_async": True,
        "effect": "reversible",
        "risk": "medium",
        "timeout_seconds": 5,
    }


def test_the_schema_comes_from_the_signature_and_the_docstring() -> None:
    schema = book.parameters
    Draft202012Validator.check_schema(schema)
    assert set(schema["properties"]) == {"flight", "passengers", "cabin"}
    assert schema["required"] == ["flight", "passengers"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["flight"] == {
        "description": "Number of the flight, such as LH400.",
        "minLength": 2,
        "title": "Flight",
        "type": "string",
    }
    assert schema["properties"]["cabin"]["enum"] == ["economy", "business"]


async def test_arguments_are_read_into_their_types_and_the_context_is_given() -> None:
    arguments = book.read({"flight": "LH400", "passengers": [{"name": "Ada"}]})
    assert await book.run(arguments, ToolContext("a", "k", 1.0)) == {"flight": "LH400", "who": ["Ada"], "key": "k"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"flight": "LH400"}, "passengers: Field required"),
        ({"flight": "L", "passengers": []}, "flight: "),
        ({"flight": "LH400", "passengers": [], "seat": 3}, "seat: Extra inputs"),
        ({"flight": "LH400", "passengers": [{"name": "A", "age": "old"}]}, "passengers.0.age: "),
        ({"flight": "LH400", "passengers": [], "context": "mine"}, "context: Extra inputs"),
    ],
)
def test_wrong_arguments_are_refused_by_name(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=r"It takes: flight, passengers, cabin\.") as refused:
        book.read(arguments)
    assert said in refused.value.message


def test_declarations_that_contradict_themselves_are_refused() -> None:
    async def fine(x: int) -> None: ...

    def blocking(x: int) -> None: ...

    async def untyped(x) -> None: ...  # type: ignore[no-untyped-def]

    async def greedy(*x: int) -> None: ...

    with pytest.raises(SettingInvalid, match="compensation"):
        tool(effect="reversible")(fine)
    with pytest.raises(SettingInvalid, match="compensation"):
        tool(effect="read", compensation=cancel)(fine)
    with pytest.raises(SettingInvalid, match="timeout"):
        tool(effect="read", timeout=0)(fine)
    with pytest.raises(SettingInvalid, match="async def"):
        tool(effect="read")(blocking)  # type: ignore[arg-type]
    for wrong in (untyped, greedy):
        with pytest.raises(SettingInvalid, match="'x'"):
            tool(effect="read")(wrong)
    with pytest.raises(SettingInvalid, match="name"):
        tool(effect="read", name="a tool")(fine)
    with pytest.raises(InvalidInput, match="label"):
        tool(effect="read", outside="The Web")(fine)


def test_the_registry_knows_tools_by_name_and_grants_only_those_named() -> None:
    @tool(effect="read")
    async def look(at: str) -> str:
        return at

    @tool(effect="read", name="book")
    async def other() -> None: ...

    registry = ToolRegistry([book, look])
    registry.register(book)
    with pytest.raises(AlreadyExists, match="book"):
        registry.register(other)
    assert list(registry.granted(["look"])) == ["look"]
    assert list(ToolRegistry().granted([look])) == ["look"]
    with pytest.raises(NotFound, match=r"Tool 'fly' not found\. There are: book, look") as missing:
        registry.granted(["fly"])
    assert missing.value.code == "tool_not_found"
    assert [row["name"] for row in registry.rows()] == ["book", "look"]
    assert isinstance(registry.get("look"), Tool)


def test_everything_exported_is_there() -> None:
    import aos.tools

    assert sorted(name for name in dir(aos.tools) if getattr(aos.tools, name)) == sorted(aos.tools.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        getattr(aos.tools, "nonsense")  # noqa: B009  # a checker knows that it is not there
