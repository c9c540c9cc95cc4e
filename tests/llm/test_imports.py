"""Importing the room is light, and what it exports is there."""

from __future__ import annotations

import subprocess
import sys

import pytest

import aos.llm

SDKS = ("openai", "anthropic", "google", "cohere", "mistralai", "groq", "replicate", "ollama", "litellm", "tiktoken")


def modules_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_room_loads_neither_client_nor_models() -> None:
    loaded = modules_after("import aos.llm")
    assert not {"httpx", "pydantic", "asyncio", "ssl", *SDKS} & loaded


def test_everything_together_loads_no_vendor_sdk() -> None:
    loaded = modules_after("from aos.llm import *; from aos.llm.providers import builtin; builtin()")
    assert not set(SDKS) & loaded
    assert not {name for name in loaded if name.startswith("azure")}


@pytest.mark.parametrize("name", aos.llm.__all__)
def test_exports_are_there(name: str) -> None:
    assert getattr(aos.llm, name).__name__ == name
    assert name in dir(aos.llm)


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        aos.llm.nonsense  # noqa: B018
