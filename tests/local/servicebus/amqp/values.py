"""Strategies for AMQP values."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from aos.local.servicebus.amqp.types import (
    Array,
    Byte,
    Char,
    Decimal,
    Described,
    Float,
    Int,
    Short,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
)

ascii_text = st.text(st.characters(max_codepoint=127), max_size=300)

keys: st.SearchStrategy[Any] = st.one_of(
    st.text(max_size=40), ascii_text.map(Symbol), st.integers(0, 2**32 - 1).map(UInt), st.uuids()
)

scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(0, 0xFF).map(UByte),
    st.integers(0, 0xFFFF).map(UShort),
    st.integers(0, 2**32 - 1).map(UInt),
    st.integers(0, 2**64 - 1).map(ULong),
    st.integers(-(2**7), 2**7 - 1).map(Byte),
    st.integers(-(2**15), 2**15 - 1).map(Short),
    st.integers(-(2**31), 2**31 - 1).map(Int),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**63), 2**63 - 1).map(Timestamp),
    st.floats(allow_nan=False),
    st.floats(width=32, allow_nan=False).map(Float),
    st.characters(exclude_categories=["Cs"]).map(Char),
    st.sampled_from([4, 8, 16]).flatmap(lambda size: st.binary(min_size=size, max_size=size)).map(Decimal),
    st.uuids(),
    st.binary(max_size=400),
    st.text(max_size=400),
    ascii_text.map(Symbol),
)

arrays: st.SearchStrategy[Any] = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=300).map(lambda items: Array(0x81, items)),
    st.lists(st.uuids(), max_size=30).map(lambda items: Array(0x98, items)),
    st.lists(st.text(max_size=300), max_size=30).map(lambda items: Array(0xB1, items)),
    st.lists(ascii_text.filter(lambda text: len(text) < 256).map(Symbol), max_size=30).map(
        lambda items: Array(0xA3, items)
    ),
    st.lists(st.lists(scalars, max_size=4), max_size=5).map(lambda items: Array(0xD0, items)),
)

values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(scalars, arrays),
    lambda inner: st.one_of(
        st.lists(inner, max_size=6),
        st.dictionaries(keys, inner, max_size=6),
        st.builds(Described, st.integers(2**40, 2**64 - 1).map(ULong), inner),
    ),
    max_leaves=30,
)
