"""The model router of a process: built when it is first needed, and absent where no provider is configured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aos.kernel.ports import Clock, Ids, TableStore
    from aos.llm.provider import ProviderProfile
    from aos.llm.router import ModelRouter
    from aos.llm.transport import Secrets, TokenSource


class InstalledModels:
    """What models a process has.

    Args:
        environ: App settings: the providers' keys and addresses, and `AOS_MODELS_FILE`.
        secrets: Reads a setting, following a reference into a vault.
        token: Gives Microsoft Entra tokens, for Azure without keys.
        tables, clock, ids: As the router takes them.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        secrets: Secrets,
        token: TokenSource | None = None,
        tables: TableStore | None = None,
        clock: Clock | None = None,
        ids: Ids | None = None,
    ) -> None:
        self._environ = environ
        self._options: dict[str, Any] = {
            "secrets": secrets,
            "token": token,
            "tables": tables,
            "clock": clock,
            "ids": ids,
        }
        self._router: ModelRouter | None = None
        self._configured: bool | None = None

    @property
    def router(self) -> ModelRouter | None:
        """The router, None where no provider is configured. Raises `SettingInvalid` for a wrong configuration."""
        if self._configured is None:
            self._configured = self._is_configured()
        return self.any_router if self._configured else None

    @property
    def any_router(self) -> ModelRouter:
        """The router whether or not it has anybody to ask: what there is to configure can be read from it."""
        if self._router is None:
            from aos.llm.building import build_router

            self._router = build_router(self._configuration(), **self._options)
        return self._router

    async def close(self) -> None:
        """Close the connections to providers."""
        if self._router is not None:
            await self._router.aclose()
            self._router = None

    def _is_configured(self) -> bool:
        from aos.llm.providers import load

        profiles = load(self._configuration().get("providers")).values()
        return any(self._has(profile) for profile in profiles if profile.enabled and profile.status == "active")

    def _has(self, profile: ProviderProfile) -> bool:
        names = list(profile.api_key_env)
        if profile.auth == "none":
            names += [*profile.base_url_env, *profile.default_model_env]
        if profile.entra_scope is not None and self._options["token"] is not None:
            names += [*profile.base_url_env, *profile.variables.values()]
        return any(self._environ.get(name, "").strip() for name in names)

    def _configuration(self) -> dict[str, Any]:
        from aos.llm.building import read_configuration

        return read_configuration(self._environ)
