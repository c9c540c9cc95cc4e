from __future__ import annotations

import pytest

from aos.tools.review.masking import mask, mask_literals


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ('password = "hunter2"', "hunter2"),
        ("PASSWORD: str = 'hunter2'", "hunter2"),
        ('{"api_key": "abc def"}', "abc def"),
        ('connect(user="me", token=b"abcdef")', "abcdef"),
        ("DB_PASSWORD=hunter2hunter2", "hunter2hunter2"),
        ("postgres://me:hunter2@host/db", "hunter2"),
        ("Authorization: Bearer abcdef123456", "abcdef123456"),
        ("x = 'AKIAQWERTYUIOP123456'", "AKIAQWERTYUIOP123456"),
        ("y = ghp_A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8", "A1b2C3d4E5f6G7h8"),
        ("AccountKey=q83vEjRWeJq83vEjRWeJq83vEjRWeJ==;", "q83vEjRWeJ"),
        ("h = d41d8cd98f00b204e9800998ecf8427e", "d41d8cd98f00b204e9800998ecf8427e"),
    ],
)
def test_secrets_are_hidden(text: str, secret: str) -> None:
    masked = mask(text)

    assert secret not in masked
    assert "***" in masked
    assert mask(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "def handle(token: Token, secret: SecretStr) -> None:",
        "password = os.environ['DB']",
        "from aos.tools.review.source_tree import SourceTree",
        "see tests/local/servicebus/engine/test_message_queue.py",
        'password = ""',
    ],
)
def test_ordinary_code_is_left_alone(text: str) -> None:
    assert mask(text) == text


def test_a_line_known_to_hold_a_secret_loses_all_its_strings() -> None:
    assert mask_literals("login('me', \"hunter2\")") == "login('***', \"***\")"
    assert mask_literals("login('unclosed") == "login('***"
