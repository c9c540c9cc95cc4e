"""Azure's errors in our words: every SDK exception becomes one of `aos.kernel.errors`.

What is decided here is what happens next, so it goes by class, status and error code. The hard question is whether a
write was applied although it failed: `Conflict`, `StoreUnavailable` and `CommitAmbiguous` are kept apart for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from aos.kernel.errors import (
    AlreadyExists,
    AosError,
    BusUnavailable,
    CommitAmbiguous,
    Conflict,
    InvalidInput,
    LockLost,
    NotFound,
    PayloadTooLarge,
    StoreUnavailable,
)

Kind = Literal[
    "busy",
    "conflict",
    "denied",
    "exists",
    "invalid",
    "lock_lost",
    "missing",
    "not_sent",
    "too_large",
    "unanswered",
    "unavailable",
]

KINDS: Mapping[str, Kind] = {
    # azure.core, and what the storage and vault packages add
    "AzureError": "unavailable",
    "ServiceRequestError": "not_sent",
    "ServiceRequestTimeoutError": "not_sent",
    "ServiceResponseError": "unanswered",
    "ServiceResponseTimeoutError": "unanswered",
    "HttpResponseError": "unavailable",
    "DecodeError": "unanswered",
    "IncompleteReadError": "unanswered",
    "ResourceExistsError": "exists",
    "ResourceNotFoundError": "missing",
    "ClientAuthenticationError": "denied",
    "ResourceModifiedError": "conflict",
    "ResourceNotModifiedError": "conflict",
    "TooManyRedirectsError": "unavailable",
    "ODataV4Error": "unavailable",
    "StreamConsumedError": "unanswered",
    "StreamClosedError": "unanswered",
    "ResponseNotReadError": "unanswered",
    "SerializationError": "invalid",
    "DeserializationError": "unanswered",
    "TableTransactionError": "unavailable",
    "RequestTooLargeError": "too_large",
    "PartialBatchErrorException": "unavailable",
    "CredentialUnavailableError": "denied",
    "AuthenticationRequiredError": "denied",
    # azure.servicebus
    "ServiceBusError": "unavailable",
    "ServiceBusConnectionError": "unavailable",
    "ServiceBusCommunicationError": "unavailable",
    "ServiceBusAuthenticationError": "denied",
    "ServiceBusAuthorizationError": "denied",
    "ServiceBusServerBusyError": "busy",
    "ServiceBusQuotaExceededError": "busy",
    "OperationTimeoutError": "unanswered",
    "MessageSizeExceededError": "too_large",
    "MessageAlreadySettled": "lock_lost",
    "MessageLockLostError": "lock_lost",
    "SessionLockLostError": "lock_lost",
    "SessionCannotBeLockedError": "lock_lost",
    "AutoLockRenewFailed": "lock_lost",
    "AutoLockRenewTimeout": "lock_lost",
    "MessageNotFoundError": "missing",
    "MessagingEntityNotFoundError": "missing",
    "MessagingEntityDisabledError": "unavailable",
    "MessagingEntityAlreadyExistsError": "exists",
}

_STATUSES: Mapping[int, Kind] = {
    304: "conflict",
    400: "invalid",
    401: "denied",
    403: "denied",
    404: "missing",
    409: "exists",
    411: "invalid",
    412: "conflict",
    413: "too_large",
    429: "busy",
    503: "busy",
    408: "unanswered",
    500: "unanswered",
    502: "unanswered",
    504: "unanswered",
}
UNSURE_STATUSES = frozenset(status for status, kind in _STATUSES.items() if kind == "unanswered")
"""Answers after which a write may have been applied, or may be yet."""

_CODES: Mapping[str, Kind] = {
    "OperationTimedOut": "unanswered",
    "TableBeingDeleted": "unavailable",
    "ContainerBeingDeleted": "unavailable",
    "AccountBeingCreated": "unavailable",
    "AccountIsDisabled": "unavailable",
    "EntityTooLarge": "too_large",
    "PropertyValueTooLarge": "too_large",
    "RequestBodyTooLarge": "too_large",
}
_NOT_CONNECTED = frozenset({"ClientConnectorError", "ConnectionTimeoutError", "InvalidURL"})
"""Causes, by class, that leave no doubt: the connection was never made."""
_SECRET = re.compile(r"\b(sig|AccountKey|SharedAccessKey|SharedAccessSignature)=[^&;\s\"']+", re.IGNORECASE)
_BUS_PAUSE = 2.0
"""Seconds that Service Bus asks for when it throttles a namespace."""


@dataclass(frozen=True, slots=True)
class Service:
    """What a service is called, and the error for when it is out of reach."""

    name: str
    unavailable: type[AosError]


TABLES = Service("Table storage", StoreUnavailable)
BLOBS = Service("Blob storage", StoreUnavailable)
BUS = Service("Service Bus", BusUnavailable)
VAULT = Service("Key Vault", StoreUnavailable)


@contextmanager
def translated(service: Service, doing: str) -> Iterator[None]:
    """Turn the SDK errors of a block into ours; others pass."""
    try:
        yield
    except Exception as error:
        if not comes_from_azure(error):
            raise
        raise translate(error, service, doing) from error


def comes_from_azure(error: Exception) -> bool:
    """Whether an SDK raised it, told without importing one."""
    return any(cls.__name__ in KINDS and cls.__module__.startswith("azure.") for cls in type(error).__mro__)


def translate(
    error: Exception, service: Service, doing: str, *, commit: bool = False, unsure: bool = False
) -> AosError:
    """Our error for one of Azure's.

    Args:
        error: What the SDK raised.
        service: Which service it was.
        doing: What was tried, as in "read row 'head'".
        commit: A write whose outcome matters: an unknown one becomes `CommitAmbiguous`, and a row that is there,
            or is not, against what the write expects, a `Conflict`.
        unsure: An earlier try of the same write may have been applied.
    """
    kind = classify(error)
    if commit and (kind == "unanswered" or (unsure and kind in {"not_sent", "busy", "unavailable", "denied"})):
        return CommitAmbiguous(
            f"{service.name} did not say whether it could {doing} ({_reason(error)}). Read what is stored, then decide."
        )
    if commit and kind in {"exists", "missing"}:
        kind = "conflict"
    return _BUILD[kind](error, service, doing)


def classify(error: Exception) -> Kind:
    """What an SDK error means, whatever the service."""
    known = (KINDS[cls.__name__] for cls in type(error).__mro__ if cls.__name__ in KINDS)
    kind: Kind = next(known, "unavailable")
    if kind == "not_sent" and not _never_connected(error):
        # The HTTP transport says so of a connection that broke after the request had left, too.
        return "unanswered"
    status = getattr(error, "status_code", None)
    if not isinstance(status, int) or kind == "too_large":
        return kind
    return _CODES.get(error_code(error)) or _STATUSES.get(status, kind)


def error_code(error: Exception) -> str:
    """The service's own code, as `TableNotFound`; empty where it gave none."""
    code = getattr(error, "error_code", None)
    if code:
        return str(getattr(code, "value", code))
    response = getattr(error, "response", None)
    if response is None:
        return ""
    header = response.headers.get("x-ms-error-code")
    return str(header) if header else _code_in_body(response)


def _code_in_body(response: Any) -> str:
    try:
        body = json.loads(response.text())
        return str((body.get("odata.error") or body["error"])["code"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


def _never_connected(error: Exception) -> bool:
    cause = getattr(error, "inner_exception", None) or error.__cause__
    return cause is None or any(cls.__name__ in _NOT_CONNECTED for cls in type(cause).__mro__)


def _retry_after(error: Exception) -> float | None:
    response = getattr(error, "response", None)
    headers: Mapping[str, str] = response.headers if response is not None else {}
    for name, unit in (("retry-after-ms", 0.001), ("x-ms-retry-after-ms", 0.001), ("Retry-After", 1.0)):
        value = headers.get(name, "")
        if value.isdigit():
            return int(value) * unit
    return None


def _reason(error: Exception) -> str:
    """Class, status and code, or the first line of the text; never a secret."""
    status, code = getattr(error, "status_code", None), error_code(error)
    if isinstance(status, int):
        return f"{type(error).__name__}, {status} {code}".rstrip()
    text = str(getattr(error, "message", None) or error).strip()
    line = _SECRET.sub(r"\1=...", text.splitlines()[0] if text else "")
    return f"{type(error).__name__}: {line[:200]}" if line else type(error).__name__


def _busy(error: Exception, service: Service, doing: str) -> AosError:
    pause = _retry_after(error) or (_BUS_PAUSE if service is BUS else None)
    return service.unavailable(
        f"{service.name} is busy and could not {doing} ({_reason(error)}). Try again after a pause.", retry_after=pause
    )


def _out_of_reach(error: Exception, service: Service, doing: str) -> AosError:
    return service.unavailable(
        f"{service.name} could not {doing} ({_reason(error)}). Check that it is up and its address is right.",
        retry_after=_retry_after(error),
    )


def _denied(error: Exception, service: Service, doing: str) -> AosError:
    # A role that has yet to take effect must not send messages to the dead letters: it counts as an outage.
    return service.unavailable(
        f"{service.name} refused to {doing} ({_reason(error)}). Check the key, or the role of the app's identity.",
        code="access_denied",
    )


def _missing(error: Exception, service: Service, doing: str) -> AosError:
    return NotFound(f"{service.name} could not {doing}: there is no such thing ({_reason(error)}).")


def _exists(error: Exception, service: Service, doing: str) -> AosError:
    return AlreadyExists(f"{service.name} could not {doing}: it exists already ({_reason(error)}).")


def _conflict(error: Exception, service: Service, doing: str) -> AosError:
    return Conflict(f"{service.name} did not {doing}: what is stored has changed ({_reason(error)}). Read it again.")


def _invalid(error: Exception, service: Service, doing: str) -> AosError:
    return InvalidInput(f"{service.name} cannot {doing}: the request is not valid ({_reason(error)}).")


def _too_large(error: Exception, service: Service, doing: str) -> AosError:
    return PayloadTooLarge(f"{service.name} cannot {doing}: it is over a limit ({_reason(error)}). Make it smaller.")


def _lock_lost(error: Exception, service: Service, doing: str) -> AosError:
    return LockLost(f"{service.name} could not {doing}: the lock is gone ({_reason(error)}). Receive it again.")


_BUILD = {
    "busy": _busy,
    "conflict": _conflict,
    "denied": _denied,
    "exists": _exists,
    "invalid": _invalid,
    "lock_lost": _lock_lost,
    "missing": _missing,
    "not_sent": _out_of_reach,
    "too_large": _too_large,
    "unanswered": _out_of_reach,
    "unavailable": _out_of_reach,
}
