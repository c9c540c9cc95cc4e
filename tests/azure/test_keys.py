from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aos.azure.keys import decode_key, encode_key
from aos.kernel.errors import InvalidInput

FORBIDDEN = set("/\\#?%") | {chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))}
short_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def test_ordinary_keys_stay_as_they_are() -> None:
    for key in ("head", "j:0000000001", "task:20260131-093000-ab12", "s:4f1c:fetch", "ceo@boardroom+1", ""):
        assert encode_key(key) == key


@given(short_text)
def test_every_key_comes_back_and_holds_nothing_forbidden(key: str) -> None:
    stored = encode_key(key)
    assert decode_key(stored) == key
    assert not FORBIDDEN & set(stored)


@given(short_text, short_text)
def test_stored_keys_sort_as_the_keys_do(one: str, other: str) -> None:
    assert (encode_key(one) < encode_key(other)) == (one < other)


@pytest.mark.parametrize("key", ["/", "a/b\\c#d?e%f", '"#$', ".//..", "\x00\x1f \x7f~", "[[\\]"])
def test_awkward_keys_come_back(key: str) -> None:
    assert decode_key(encode_key(key)) == key


def test_codes_that_nobody_wrote_are_left_alone() -> None:
    assert decode_key("~zz") == "~zz"
    assert decode_key("~ff") == "~ff"
    assert decode_key("a.b") == "a.b"


def test_a_key_over_the_limit_is_refused() -> None:
    encode_key("k" * 512)
    with pytest.raises(InvalidInput, match="too long"):
        encode_key("k" * 513)
    with pytest.raises(InvalidInput, match="too long"):
        encode_key("/" * 257)


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(InvalidInput, match="surrogate"):
        encode_key("a\ud800")
