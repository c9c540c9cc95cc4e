"""Key Vault references as app settings hold them: `@Microsoft.KeyVault(SecretUri=...)` or by vault and secret name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from aos.kernel.errors import SettingInvalid

_REFERENCE = re.compile(r"@Microsoft\.KeyVault\((?P<inside>.*)\)", re.IGNORECASE | re.DOTALL)
_VAULT = re.compile(r"[A-Za-z][A-Za-z0-9-]{2,23}")
_SECRET = re.compile(r"[A-Za-z0-9-]{1,127}")
_VERSION = re.compile(r"[A-Za-z0-9]{1,64}")
_HINT = "Use @Microsoft.KeyVault(SecretUri=https://<vault>/secrets/<name>) or (VaultName=<vault>;SecretName=<name>)."


@dataclass(frozen=True, slots=True)
class VaultReference:
    """Which secret, in which vault. `version` is None for the current one."""

    vault_url: str
    name: str
    version: str | None = None


def is_reference(value: str) -> bool:
    """Whether a setting's value points into a vault."""
    return value.lstrip().lower().startswith("@microsoft.keyvault")


def parse_reference(value: str, setting: str, *, vault_suffix: str = "vault.azure.net") -> VaultReference:
    """Read a reference.

    Args:
        value: The setting's value.
        setting: Its name, for the error.
        vault_suffix: Domain of the vaults that are given by name; clouds differ in it.

    Raises:
        SettingInvalid: it is not a reference, or an incomplete one.
    """
    found = _REFERENCE.fullmatch(value.strip())
    if not found:
        raise SettingInvalid(f"Setting {setting!r} is not a Key Vault reference. {_HINT}")
    pairs = (part.partition("=") for part in found["inside"].split(";") if part.strip())
    parts = {key.strip().lower(): content.strip() for key, _, content in pairs}
    if "secreturi" in parts:
        return _from_uri(parts["secreturi"], setting)
    vault, name, version = (parts.get(key, "") for key in ("vaultname", "secretname", "secretversion"))
    if not _VAULT.fullmatch(vault) or not _SECRET.fullmatch(name) or (version and not _VERSION.fullmatch(version)):
        raise SettingInvalid(f"Setting {setting!r} names no vault and secret. {_HINT}")
    return VaultReference(f"https://{vault}.{vault_suffix}", name, version or None)


def _from_uri(uri: str, setting: str) -> VaultReference:
    try:
        split = urlsplit(uri)
        segments = split.path.strip("/").split("/")
    except ValueError as error:
        raise SettingInvalid(f"Setting {setting!r} has a SecretUri that is no address. {_HINT}") from error
    complete = split.scheme == "https" and split.hostname and len(segments) in {2, 3} and segments[0] == "secrets"
    if not complete or not _SECRET.fullmatch(segments[1]) or not all(_VERSION.fullmatch(part) for part in segments[2:]):
        raise SettingInvalid(f"Setting {setting!r} has a SecretUri that names no secret. {_HINT}")
    version = segments[2] if len(segments) == 3 else None
    return VaultReference(f"https://{split.netloc}", segments[1], version)
