"""Checks connection strings before an SDK sees them, so that what is wrong is told by setting, and never by value."""

from __future__ import annotations

from aos.kernel.errors import SettingInvalid

# The published account of every storage emulator: it protects nothing.
_DEVELOPMENT = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;"
    "QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;"
    "TableEndpoint=http://127.0.0.1:10002/devstoreaccount1;"
)


def check_storage(text: str, setting: str) -> str:
    """A storage connection string that the SDKs accept; `UseDevelopmentStorage=true` is spelled out.

    Raises:
        SettingInvalid: it cannot be one.
    """
    parts = _parts(text, setting)
    if parts.get("usedevelopmentstorage", "").lower() == "true":
        return _DEVELOPMENT
    named = "accountname" in parts and "accountkey" in parts
    signed = "sharedaccesssignature" in parts and ("accountname" in parts or _has_endpoints(parts))
    if not (named or signed):
        raise SettingInvalid(
            f"{_subject(setting)} is not a storage connection string. It needs AccountName and AccountKey, or a "
            "SharedAccessSignature with BlobEndpoint and TableEndpoint, or UseDevelopmentStorage=true."
        )
    return text.strip()


def check_servicebus(text: str, setting: str) -> str:
    """A Service Bus connection string of a whole namespace.

    Raises:
        SettingInvalid: it cannot be one.
    """
    parts = _parts(text, setting)
    if not parts.get("endpoint", "").startswith("sb://"):
        raise SettingInvalid(f"{_subject(setting)} has no Endpoint=sb://... Copy the whole string of the namespace.")
    keyed = "sharedaccesskeyname" in parts and "sharedaccesskey" in parts
    if not keyed and "sharedaccesssignature" not in parts:
        raise SettingInvalid(f"{_subject(setting)} needs SharedAccessKeyName and SharedAccessKey.")
    if "entitypath" in parts:
        raise SettingInvalid(
            f"{_subject(setting)} is for one entity only ({parts['entitypath']!r}). Use the namespace's string."
        )
    return text.strip()


def _has_endpoints(parts: dict[str, str]) -> bool:
    return "blobendpoint" in parts and "tableendpoint" in parts


def _parts(text: str, setting: str) -> dict[str, str]:
    if text.lstrip().startswith("@Microsoft.KeyVault"):
        raise SettingInvalid(
            f"{_subject(setting)} is a Key Vault reference that was not resolved. Check the vault, the secret's name "
            "and the role of the app's identity."
        )
    pairs = [part.partition("=") for part in text.strip().strip(";").split(";")]
    if any(not separator or not key.strip() for key, separator, _ in pairs):
        raise SettingInvalid(f"{_subject(setting)} is not a connection string: it needs parts Key=Value, split by ';'.")
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _subject(setting: str) -> str:
    return f"Setting {setting!r}" if setting[:1].isupper() and " " not in setting else setting.capitalize()
