"""The tests that the page on testing shows are tests that pass, and that fail when what they test breaks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "testing.md"


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL))
    names: dict[str, Any] = {"__name__": "shown"}
    exec(compile(code, str(PAGE), "exec", dont_inherit=True), names)
    return names


@pytest.mark.parametrize(
    "name",
    ["test_a_payment_is_noticed", "test_no_crash_loses_or_doubles_a_payment", "test_no_crash_refunds_twice"],
)
async def test_the_tests_shown_pass(shown: dict[str, Any], name: str) -> None:
    await shown[name]()


async def test_the_sweep_of_crashes_finds_a_bus_that_forgets(
    shown: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without publishing again what a returning message had led to, one crash loses the notice."""
    from aos.kernel.kernel import Kernel

    async def only_the_new(self: Any, head: Any, arrived: Any) -> Any:
        return [item for item in arrived if head.recent.version_of(item[0].dedupe_key) is None]

    monkeypatch.setattr(Kernel, "_sort_out", only_the_new)
    with pytest.raises(AssertionError):
        await shown["test_no_crash_loses_or_doubles_a_payment"]()


async def test_the_crash_kit_finds_the_double_refund_and_says_what_the_page_says(shown: dict[str, Any]) -> None:
    report = await shown["show_the_double_refund"]()
    assert f"```text\n{report}\n```" in PAGE.read_text(encoding="utf-8")


def test_every_name_on_the_page_is_there() -> None:
    import aos.testing

    table = PAGE.read_text(encoding="utf-8").split("## What there is")[1]
    first_cells = re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE)
    names = [name for cell in first_cells for name in re.findall(r"`(\w+)", cell)]
    assert len(names) > 10
    missing = [name for name in names if not hasattr(aos.testing, name) and not hasattr(aos.testing.Action, name)]
    assert missing == []
