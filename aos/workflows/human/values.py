"""Whether a value is what a request asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aos.kernel.errors import NotFound
from aos.kernel.ports import BlobStore
from aos.storage.artifacts import Artifact, Artifacts
from aos.workflows.human.action import MOST_BYTES, canonical
from aos.workflows.human.errors import AnswerInvalid

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

    from aos.workflows.human.request import HumanRequest

MOST_CHARACTERS = 20_000
"""Of an answer in words."""
MOST_ANSWER_BYTES = 256 * 1024
"""Of a correction, as canonical JSON."""
_YES = frozenset({"approve", "approved", "yes", "true"})
_NO = frozenset({"reject", "rejected", "no", "false"})


def check_value(request: HumanRequest, value: Any) -> Any:
    """The value in the form the requester gets.

    Raises:
        AnswerInvalid: it is not what was asked for; the message says what is. A file is looked at by `check_file`.
    """
    return _CHECKS[request.kind](request, value)


def as_verdict(value: Any) -> bool:
    """Yes or no, as a boolean or a word. Raises `AnswerInvalid`."""
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else None
    if word in _YES or word in _NO:
        return word in _YES
    raise AnswerInvalid("An approval is answered with true or false.")


async def check_file(request: HumanRequest, artifact_id: str, blobs: BlobStore) -> Artifact:
    """The artifact a person answers with.

    Raises:
        AnswerInvalid: there is none of this id, it is of another type, or it is too large.
    """
    try:
        artifact = await Artifacts(blobs).describe(artifact_id)
    except NotFound as error:
        raise AnswerInvalid(f"{error.message} Then answer with its id.") from error
    kind = artifact.content_type.partition(";")[0].strip().lower()
    if request.accept and not any(_accepts(pattern, kind) for pattern in request.accept):
        raise AnswerInvalid(f"{artifact.name!r} is {kind}. Answer with a file of {' or '.join(request.accept)}.")
    if artifact.size > request.max_bytes:
        raise AnswerInvalid(f"{artifact.name!r} has {artifact.size:,} bytes. The limit is {request.max_bytes:,}.")
    return artifact


def check_schema(schema: dict[str, Any]) -> None:
    """Raises `AnswerInvalid` where it is no JSON Schema."""
    from jsonschema.exceptions import SchemaError

    if len(canonical(schema).encode()) > MOST_BYTES:
        raise AnswerInvalid(f"`schema` is over {MOST_BYTES:,} bytes. Ask for less at once.")
    try:
        _validator(schema).check_schema(schema)
    except SchemaError as error:
        raise AnswerInvalid(f"`schema` is not a JSON Schema: {error.message}.") from error


def _approval(_: HumanRequest, value: Any) -> bool:
    return as_verdict(value)


def _words(_: HumanRequest, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise AnswerInvalid("A question is answered with words.")
    if len(value) > MOST_CHARACTERS:
        raise AnswerInvalid(f"The answer has {len(value):,} characters. The limit is {MOST_CHARACTERS:,}.")
    return value


def _choice(request: HumanRequest, value: Any) -> str:
    if value not in request.choices:
        raise AnswerInvalid(f"{value!r} is not among the choices: {', '.join(request.choices)}.")
    return str(value)


def _correction(request: HumanRequest, value: Any) -> Any:
    from jsonschema.exceptions import ValidationError, best_match
    from referencing.exceptions import Unresolvable

    if len(canonical(value).encode()) > MOST_ANSWER_BYTES:
        raise AnswerInvalid(f"The correction is over the limit of {MOST_ANSWER_BYTES:,} bytes.")
    try:
        problem: ValidationError | None = best_match(_validator(request.answer_schema or {}).iter_errors(value))
    except Unresolvable as error:
        raise AnswerInvalid(f"The schema refers to {error.ref!r}, which is not part of it.") from error
    if problem is not None:
        raise AnswerInvalid(f"The correction does not fit at {problem.json_path}: {problem.message[:500]}.")
    return value


def _file(_: HumanRequest, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise AnswerInvalid("A file is answered with the id of an artifact. Upload the file first.")
    return value


_CHECKS = {"approval": _approval, "question": _words, "choice": _choice, "correction": _correction, "file": _file}


def _validator(schema: dict[str, Any]) -> Validator:
    from jsonschema import Draft202012Validator
    from referencing import Registry

    # A registry of its own: by default references to other hosts would be fetched.
    return Draft202012Validator(schema, registry=Registry())


def _accepts(pattern: str, kind: str) -> bool:
    return kind.startswith(pattern[:-1]) if pattern.endswith("/*") else kind == pattern
