"""Streams are read the same wherever their chunks end, in the middle of a character too."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aos.llm.framing import LONGEST_LINE, FrameParser, FrameTooLong, NdjsonParser, ServerEvent, SseParser

LINE = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=20)
DATA = st.lists(LINE, min_size=1, max_size=3).map("\n".join)
NAME = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=8)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in pairwise(edges)]


def parse(parser: FrameParser, chunks: list[bytes]) -> list[ServerEvent]:
    events = [event for chunk in chunks for event in parser.feed(chunk)]
    return events + parser.close()


@given(
    events=st.lists(st.tuples(NAME, DATA), max_size=5),
    places=st.lists(st.integers(0, 10_000), max_size=30),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    comment=LINE,
)
def test_server_sent_events(events: list[tuple[str, str]], places: list[int], end: str, comment: str) -> None:
    wire = ""
    for name, data in events:
        lines = [f":{comment}", f"event: {name}", *(f"data: {line}" for line in data.split("\n")), "id: 7", ""]
        wire += "".join(line + end for line in lines)
    found = parse(SseParser(), cut(wire.encode(), places))
    assert found == [ServerEvent(name, data) for name, data in events]


@given(
    documents=st.lists(st.dictionaries(NAME, DATA), max_size=5), places=st.lists(st.integers(0, 10_000), max_size=30)
)
def test_json_lines(documents: list[dict[str, str]], places: list[int]) -> None:
    wire = "".join(json.dumps(document, ensure_ascii=False) + "\n" for document in documents).encode()
    found = parse(NdjsonParser(), cut(wire, places))
    assert [json.loads(event.data) for event in found] == documents


@pytest.mark.parametrize(
    ("wire", "events"),
    [
        (b"\xef\xbb\xbfdata: a\n\n", [ServerEvent("", "a")]),
        (b"data:a\n\ndata:  b\n\n", [ServerEvent("", "a"), ServerEvent("", " b")]),
        (b": keep-alive\n\n: OPENROUTER PROCESSING\n\ndata: x\n\n", [ServerEvent("", "x")]),
        (b"data: [DONE]", [ServerEvent("", "[DONE]")]),
        (b"event: done\n\n", []),
        (b"data\n\n", [ServerEvent("", "")]),
        (b"retry: 10\nunknown: 1\ndata: x\n\n", [ServerEvent("", "x")]),
    ],
)
def test_corners_of_server_sent_events(wire: bytes, events: list[ServerEvent]) -> None:
    for size in (1, 2, 3, len(wire)):
        chunks = [wire[i : i + size] for i in range(0, len(wire), size)]
        assert parse(SseParser(), chunks) == events


def test_a_last_line_without_its_end_is_read() -> None:
    assert parse(NdjsonParser(), [b'{"a":', b" 1}"]) == [ServerEvent("", '{"a": 1}')]


@pytest.mark.parametrize("parser", [SseParser, NdjsonParser])
def test_a_line_without_end_is_refused(parser: type[SseParser] | type[NdjsonParser]) -> None:
    reader = parser()
    reader.feed(b"x" * LONGEST_LINE)
    with pytest.raises(FrameTooLong):
        reader.feed(b"x")
