"""Service Bus connection strings: taken apart for a client, made for a server."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aos.kernel.errors import SettingInvalid

DEFAULT_KEY_NAME = "RootManageSharedAccessKey"
DEFAULT_KEY = "SAS_KEY_VALUE"
DEFAULT_PORT = 5672


@dataclass(frozen=True, slots=True)
class ConnectionString:
    """Where the broker is, and the key to it. The key is left out of `repr`."""

    host: str
    port: int
    key_name: str
    key: str = field(repr=False)
    entity: str | None = None
    development: bool = True

    @classmethod
    def parse(cls, text: str) -> ConnectionString:
        """Read a connection string.

        Raises:
            SettingInvalid: there is no endpoint or no key in it.
        """
        parts: dict[str, str] = {}
        for part in text.strip().rstrip(";").split(";"):
            name, separator, value = part.partition("=")
            if not separator:
                raise SettingInvalid("A Service Bus connection string is a list of Name=value; this is not.")
            parts[name.strip().lower()] = value.strip()
        endpoint = urlsplit(parts.get("endpoint", ""))
        try:
            host, port = endpoint.hostname, endpoint.port
        except ValueError as problem:
            raise SettingInvalid(f"The Endpoint of the Service Bus connection string: {problem}.") from None
        if not host:
            raise SettingInvalid("The Service Bus connection string needs an Endpoint, as in sb://127.0.0.1:5672.")
        if "sharedaccesskey" not in parts or "sharedaccesskeyname" not in parts:
            raise SettingInvalid("The Service Bus connection string needs SharedAccessKeyName and SharedAccessKey.")
        return cls(
            host=host,
            port=port or DEFAULT_PORT,
            key_name=parts["sharedaccesskeyname"],
            key=parts["sharedaccesskey"],
            entity=parts.get("entitypath"),
            development=parts.get("usedevelopmentemulator", "").lower() == "true",
        )

    def text(self) -> str:
        """The connection string. It holds the key."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        parts = [
            f"Endpoint=sb://{host}:{self.port}",
            f"SharedAccessKeyName={self.key_name}",
            f"SharedAccessKey={self.key}",
        ]
        if self.development:
            parts.append("UseDevelopmentEmulator=true")
        if self.entity:
            parts.append(f"EntityPath={self.entity}")
        return ";".join(parts) + ";"
