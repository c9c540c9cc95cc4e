"""The templates as far as they can be checked without Azure: syntax, wiring between modules, names, no keys."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

from aos.azure.vault_reference import VaultReference, parse_reference
from aos.config import AOSConfig
from aos.config_report import OTHERS
from aos.config_sources import variables
from aos.messaging import names

INFRA = Path(__file__).resolve().parents[2] / "infra"
FILES = sorted(INFRA.rglob("*.bicep"))


def parse(file: Path) -> Node:
    return Parser(Language(tree_sitter_bicep.language())).parse(file.read_bytes()).root_node


def text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def params(file: Path) -> dict[str, bool]:
    """Parameters by name, and whether a value must be given."""
    found = re.findall(r"^param (\w+) \w+(.*)$", text(file), re.MULTILINE)
    return {name: "=" not in rest for name, rest in found}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_it_parses(file: Path) -> None:
    assert not parse(file).has_error


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_everything_declared_is_used(file: Path) -> None:
    content = text(file)
    for name in re.findall(r"^(?:param|var) (\w+)", content, re.MULTILINE):
        assert len(re.findall(rf"\b{name}\b", content)) > 1, name


def test_modules_get_the_parameters_they_take_and_give_the_outputs_that_are_used() -> None:
    main = text(INFRA / "main.bicep")
    modules = re.findall(r"module (\w+) '([^']+)' = \{\n.*?params: \{\n(.*?)\n  \}\n\}", main, re.DOTALL)
    assert len(modules) == len(re.findall(r"^module ", main, re.MULTILINE)) == 6
    for symbol, path, given in modules:
        file = INFRA / path
        names_given = set(re.findall(r"^    (\w+):", given, re.MULTILINE))
        taken = params(file)
        assert names_given <= set(taken), path
        assert {name for name, needed in taken.items() if needed} <= names_given, path
        outputs = set(re.findall(r"^output (\w+)", text(file), re.MULTILINE))
        assert set(re.findall(rf"\b{symbol}\.outputs\.(\w+)", main)) <= outputs, path


def test_the_parameter_file_gives_what_is_taken() -> None:
    given = json.loads(text(INFRA / "main.parameters.json"))["parameters"]
    taken = params(INFRA / "main.bicep")
    assert set(given) <= set(taken)
    assert {name for name, needed in taken.items() if needed} <= set(given)


def test_the_entities_are_those_the_code_names() -> None:
    content = text(INFRA / "modules" / "messaging.bicep")
    queues = re.findall(r"namespaces/queues@[^{]+\{\n  parent: \w+\n  name: '([^']+)'", content)
    topics = re.findall(r"namespaces/topics@[^{]+\{\n  parent: \w+\n  name: '([^']+)'", content)
    subscriptions = re.findall(r"topics/subscriptions@[^{]+\{\n  parent: \w+\n  name: '([^']+)'", content)
    assert set(queues) == set(names.QUEUES)
    assert set(topics) == set(names.TOPICS)
    assert subscriptions == [names.EVENTS_ROUTER]
    inbox = content[content.index("resource inbox") : content.index("resource requests")]
    assert "requiresSession: true" in inbox
    assert "requiresDuplicateDetection: true" in inbox


def test_no_key_is_used_anywhere() -> None:
    everything = "".join(map(text, FILES))
    assert everything.count("allowSharedKeyAccess: false") == 2
    assert "disableLocalAuth: true" in everything
    for forbidden in ("listKeys", "AccountKey", "SharedAccessKey", "connectionString:"):
        assert forbidden not in everything


def test_every_role_says_whose_it_is() -> None:
    content = text(INFRA / "modules" / "access.bicep")
    assert content.count("roleAssignments@") == content.count("principalType: 'ServicePrincipal'") == 6


def test_the_settings_of_the_app_are_settings_and_win_over_the_templates_own() -> None:
    content = text(INFRA / "modules" / "functionapp.bicep")
    own, later = content[content.index("union({") :].split("  }, ", 1)
    names_given = re.findall(r"^    (AOS_\w+):", own, re.MULTILINE)
    given = json.loads(text(INFRA / "main.parameters.json"))["parameters"]
    for name in (*names_given, *given["settings"]["value"], *given["secretSettings"]["value"]):
        assert name in {*variables(AOSConfig).values(), *OTHERS}
    assert later.startswith("settings, secretReferences)")


def test_secrets_are_references_that_the_code_reads() -> None:
    content = text(INFRA / "modules" / "functionapp.bicep")
    [written] = re.findall(r"'(@Microsoft\.KeyVault\(.*\))'", content)
    reference = written.replace("${vaultName}", "aosv123").replace("${entry.value}", "aos-link-key")
    assert parse_reference(reference, "AOS_LINK_KEY") == VaultReference(
        "https://aosv123.vault.azure.net", "aos-link-key", None
    )
    vault = text(INFRA / "modules" / "vault.bicep")
    assert "enableRbacAuthorization: true" in vault
    assert "scope: vault" in text(INFRA / "modules" / "access.bicep")
