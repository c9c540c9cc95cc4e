from __future__ import annotations

import time

import pytest
from azure.servicebus._base_handler import _generate_sas_token
from hypothesis import given
from hypothesis import strategies as st

from aos.kernel.errors import PermissionDenied, SettingInvalid
from aos.local.servicebus.connection_string import ConnectionString
from aos.local.servicebus.shared_access import KeyRing, path_of, sign

RING = KeyRing({"name": "secret"})
NOW = 1_000_000.0


@given(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20))
def test_a_token_grants_its_entity_and_all_below_until_it_expires(entity: str) -> None:
    token = sign(f"sb://host:5672/{entity}", "name", "secret", int(NOW) + 60)
    grant = RING.check(token, f"sb://host:5672/{entity}", NOW)
    assert grant.covers(entity, NOW)
    assert grant.covers(f"{entity}/$management", NOW)
    assert grant.covers(entity.upper(), NOW) or entity.upper().lower() != entity.lower()
    assert not grant.covers(f"{entity}x", NOW)
    assert not grant.covers(entity, NOW + 60)


def test_a_token_for_the_namespace_grants_what_it_is_put_for() -> None:
    token = sign("sb://host/", "name", "secret", int(NOW) + 60)
    assert RING.check(token, "sb://host/", NOW).covers("any/thing", NOW)
    assert not RING.check(token, "sb://host/one", NOW).covers("two", NOW)


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (sign("sb://h/q", "name", "wrong", int(NOW) + 60), "invalid signature"),
        (sign("sb://h/q", "other", "secret", int(NOW) + 60), "does not have"),
        (sign("sb://h/q", "name", "secret", int(NOW) - 1), "expired"),
        (sign("sb://h/elsewhere", "name", "secret", int(NOW) + 60), "not for"),
        (sign("sb://h/q", "name", "secret", int(NOW) + 60).replace("se=", "se=9"), "invalid signature"),
        ("Bearer x", "not a shared access signature"),
        ("SharedAccessSignature ", "does not have"),
    ],
)
def test_other_tokens_are_refused_without_telling_the_key(token: str, reason: str) -> None:
    with pytest.raises(PermissionDenied, match=reason) as refused:
        RING.check(token, "sb://h/q", NOW)
    assert "secret" not in str(refused.value)
    assert "secret" not in repr(RING)


def test_the_sdks_own_tokens_are_understood() -> None:
    token = _generate_sas_token("sb://127.0.0.1:5672/q", "name", "secret").token
    text = token.decode() if isinstance(token, bytes) else token
    assert RING.check(text, "sb://127.0.0.1:5672/q", time.time()).path == "q"


def test_addresses_lead_to_paths() -> None:
    assert path_of("amqps://host:5672/a/Subscriptions/b") == "a/Subscriptions/b"
    assert path_of("/a/") == "a"
    assert path_of("a") == "a"


def test_a_connection_string_is_read_and_written() -> None:
    text = "Endpoint=sb://127.0.0.1:5673;SharedAccessKeyName=n;SharedAccessKey=a=b=;UseDevelopmentEmulator=true;"
    found = ConnectionString.parse(text)
    assert (found.host, found.port, found.key_name, found.key, found.development) == (
        "127.0.0.1",
        5673,
        "n",
        "a=b=",
        True,
    )
    assert found.text() == text
    assert "a=b=" not in repr(found)
    assert ConnectionString.parse("Endpoint=sb://h/;SharedAccessKeyName=n;SharedAccessKey=k;EntityPath=q") == (
        ConnectionString("h", 5672, "n", "k", "q", development=False)
    )
    assert ConnectionString("::1", 1, "n", "k").text().startswith("Endpoint=sb://[::1]:1;")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "Endpoint=sb://h",
        "SharedAccessKeyName=n;SharedAccessKey=k",
        "Endpoint=sb://h:x;SharedAccessKeyName=n;SharedAccessKey=k",
    ],
)
def test_other_connection_strings_are_refused(text: str) -> None:
    with pytest.raises(SettingInvalid):
        ConnectionString.parse(text)
