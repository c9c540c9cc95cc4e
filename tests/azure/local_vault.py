"""A Key Vault on loopback: HTTPS with a certificate of its own, the bearer challenge, and secrets by version."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from azure.core.credentials import AccessToken, AccessTokenInfo
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class StaticCredential:
    """Gives one token, whoever asks."""

    def __init__(self, token: str = "token-1") -> None:
        self.token = token
        self.closed = False

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken(self.token, 4_102_444_800)

    async def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        return AccessTokenInfo(self.token, 4_102_444_800)

    async def close(self) -> None:
        self.closed = True

    async def __aenter__(self) -> StaticCredential:
        return self

    async def __aexit__(self, *details: object) -> None:
        await self.close()


class LocalVault:
    """Attributes: secrets: Values by name and version. status: What is answered instead of a secret, if not 200."""

    def __init__(self) -> None:
        self.secrets: dict[str, dict[str, str]] = {}
        self.status = 200
        self.reads: list[str] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Bearer token-1":
            challenge = 'Bearer authorization="https://login.example.org/tenant", resource="https://vault.azure.net"'
            return web.json_response(_error("Unauthorized"), status=401, headers={"WWW-Authenticate": challenge})
        name, version = request.match_info["name"], request.match_info.get("version", "")
        self.reads.append(name)
        if self.status != 200:
            return web.json_response(_error("Failed"), status=self.status)
        versions = self.secrets.get(name, {})
        version = version or next(reversed(versions), "")
        if version not in versions:
            return web.json_response(_error("SecretNotFound"), status=404)
        address = f"{self.url}/secrets/{name}/{version}"
        return web.json_response({"value": versions[version], "id": address, "attributes": {"enabled": True}})


@asynccontextmanager
async def local_vault(folder: Path) -> AsyncIterator[tuple[LocalVault, Path]]:
    """A running vault, and the certificate to trust."""
    vault = LocalVault()
    application = web.Application()
    application.router.add_get("/secrets/{name}/{version}", vault.answer)
    application.router.add_get("/secrets/{name}", vault.answer)
    application.router.add_get("/secrets/{name}/", vault.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    certificate = _make_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    vault.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield vault, certificate
    finally:
        await runner.cleanup()


def _error(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": f"{code}."}}


def _make_certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "vault.pem"
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
