from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest

from aos.telemetry.correlation import correlated
from aos.telemetry.logs import configure_logging
from aos.telemetry.redaction import redact, redact_text


@pytest.fixture
def stream() -> Any:
    stream = io.StringIO()
    configure_logging("INFO", stream)
    yield stream
    logger = logging.getLogger("aos")
    logger.handlers.clear()
    logger.propagate = True
    logger.setLevel(logging.NOTSET)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_the_ids_of_its_work(stream: io.StringIO) -> None:
    with correlated(trace_id="t1", invocation_id="i1"), correlated(agent="cto", trace_id=None):
        logging.getLogger("aos.turn").info("turn %d", 3, extra={"sent": 2})
    logging.getLogger("aos.turn").debug("not shown")
    [line] = lines(stream)
    assert (line["message"], line["level"], line["logger"], line["sent"]) == ("turn 3", "info", "aos.turn", 2)
    assert (line["trace_id"], line["invocation_id"], line["agent"]) == ("t1", "i1", "cto")
    assert line["timestamp"].endswith("+00:00")


def test_secrets_do_not_reach_the_log(stream: io.StringIO) -> None:
    log = logging.getLogger("aos.x")
    log.warning("connecting with AccountKey=canary1;EndpointSuffix=x", extra={"api_key": "canary2", "row_key": "kept"})
    try:
        raise RuntimeError("Authorization: Bearer canary3")
    except RuntimeError:
        log.exception("failed", extra={"nested": {"password": "canary4", "list": ["sig=canary5"]}})
    text = stream.getvalue()
    assert "canary" not in text
    assert "kept" in text
    assert "EndpointSuffix" in text


@pytest.mark.parametrize(
    "text",
    [
        "Endpoint=sb://x/;SharedAccessKeyName=k;SharedAccessKey=canary",
        "https://x/?code=canary&y=1",
        '{"x-functions-key": "canary"}',
        "SharedAccessSignature sr=a&sig=canary",
        "password: canary",
    ],
)
def test_known_forms_of_secrets_are_masked_in_text(text: str) -> None:
    assert "canary" not in redact_text(text)


def test_values_that_are_no_text_stay_as_they_are() -> None:
    assert redact({"count": 3, "ok": True, "none": None, "key": ""}) == {
        "count": 3,
        "ok": True,
        "none": None,
        "key": "",
    }
