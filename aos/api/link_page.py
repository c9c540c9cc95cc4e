"""The HTML of links' pages: plain, without scripts, everything escaped."""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from typing import Any

from fastapi.responses import HTMLResponse

from aos.kernel.errors import AosError
from aos.telemetry.redaction import redact_text
from aos.workflows.human.links import Link

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem;color:#222;"
    "background:#fff}h1{font-size:1.3rem}dt{font-weight:600;margin-top:.6rem}dd{margin:0}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f4f4f4;padding:.6rem;margin:0}"
    "code{overflow-wrap:anywhere}label{display:block;margin:.4rem 0}"
    "textarea,input[type=text]{width:100%;box-sizing:border-box;font:inherit}"
    "button{font:inherit;padding:.4rem 1.2rem;margin-top:.8rem}.problem{border-left:4px solid #b00;padding-left:.8rem}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    # The address of the page is what lets in: it must neither be kept nor be told to others.
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_BUTTONS = {"approve": "Approve", "reject": "Reject", "answer": "Send the answer"}


def response(content: str, status: int = 200) -> HTMLResponse:
    """A page with the headers all of them have."""
    return HTMLResponse(content, status, headers=_HEADERS)


def form(link: Link, shown: dict[str, Any], *, problem: AosError | None = None) -> str:
    """The page that asks; with what was wrong with the answer before."""
    action = shown.get("action")
    rows = [
        ("Asked by", escape(shown["requester"])),
        ("You answer as", escape(link.who)),
        ("Action", _pre(action["what"]) if action else ""),
        ("Digest", f"<code>{escape(shown['digest'])}</code>"),
        ("Details", "" if shown["details"] is None else _pre(shown["details"])),
        ("Policy", escape(shown.get("policy_version") or "")),
        ("Asked at", escape(shown["opened_at"] or "")),
        ("Open until", escape(shown["expires_at"] or "it is answered")),
    ]
    listed = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows if value)
    wrong = f'<p class="problem" role="alert">{_told(problem)}</p>' if problem is not None else ""
    return _page(
        "A request to you",
        f"<h1>{escape(shown['prompt'])}</h1>{wrong}<dl>{listed}</dl>"
        f'<form method="post" accept-charset="utf-8">{_field(link, shown)}'
        '<label>Comment <textarea name="comment" rows="3" maxlength="4000"></textarea></label>'
        f'<button type="submit">{_BUTTONS[link.purpose]}</button></form>',
    )


def thanks(shown: dict[str, Any]) -> str:
    """The page after an answer that counts."""
    words = {True: "It is approved.", False: "It is rejected.", None: "Your answer is recorded."}[shown["approved"]]
    return _page("Thank you", f"<h1>Thank you</h1><p>{words}</p><p>{escape(shown['prompt'])}</p>")


def received(shown: dict[str, Any]) -> str:
    """The page after an answer that nobody has looked at yet."""
    return _page(
        "Received",
        "<h1>Received</h1><p>Your answer has arrived and is about to be recorded. Open this link again to see "
        f"whether it was.</p><p>{escape(shown['prompt'])}</p>",
    )


def failure(error: AosError) -> str:
    """The page of a link that is no good, or not any more."""
    return _page("Not possible", f"<h1>This is not possible</h1><p>{_told(error)}</p>")


def _told(error: AosError) -> str:
    return f"{escape(redact_text(error.message))} <code>{escape(error.code)}</code>"


def _field(link: Link, shown: dict[str, Any]) -> str:
    if link.purpose != "answer":
        return ""
    if shown["kind"] == "choice":
        return "".join(
            f'<label><input type="radio" name="value" required value="{escape(choice)}"> {escape(choice)}</label>'
            for choice in shown["choices"]
        )
    if shown["kind"] == "file":
        return '<label>Id of the artifact <input type="text" name="value" required></label>'
    is_correction = shown["kind"] == "correction"
    name, text = ("Correction (JSON)", _json(shown["details"])) if is_correction else ("Answer", "")
    return f'<label>{name} <textarea name="value" rows="10" required>{escape(text)}</textarea></label>'


def _pre(value: Any) -> str:
    return f"<pre>{escape(value if isinstance(value, str) else _json(value))}</pre>"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>"
    )
