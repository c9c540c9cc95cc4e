"""The configuration that the documentation shows is one that works."""

from __future__ import annotations

import re
from pathlib import Path

from aos.llm.building import build_router, read_configuration

PAGE = Path(__file__).resolve().parents[2] / "docs" / "models.md"


async def test_the_example_configuration(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    file = tmp_path / "models.toml"
    file.write_text(example[1], encoding="utf-8")
    router = build_router(read_configuration({}, file))
    assert router.catalogue.providers["mine"].default_model == "my-model"
    assert router.settings.routes.default.models == ("mine", "groq", "openai")
    assert router.settings.budgets[0].usd == 5.0
    assert router.budgets is not None
    await router.aclose()
