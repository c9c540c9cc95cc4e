"""The configuration: defaults < file < environment < what the caller passes, each setting checked.

Connections to Azure are not here: they are app settings that `aos.azure` reads, in the form Functions bindings use.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from aos.config_sources import gather, problem
from aos.kernel.errors import SettingInvalid
from aos.kernel.settings import KernelSettings, QuestionTerms


def _listed(value: Any) -> Any:
    """A text of several, with commas between them, as the environment has to give them, as a list."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StorageConfig(_Section):
    """Attributes: container: Blob container of the system's data. table_prefix: Put before each table's name."""

    container: str = Field(default="aos-data", pattern=r"^[a-z0-9](-?[a-z0-9])+$", max_length=63)
    table_prefix: str = Field(default="", pattern=r"^([A-Za-z][A-Za-z0-9]*)?$", max_length=20)


class MessagingConfig(_Section):
    """Names of the queues and topics, and the largest message that is sent without a claim check."""

    inbox: str = "agent-inbox"
    events: str = "agent-events"
    requests: str = "aos-requests"
    max_message_bytes: int = Field(default=240 * 1024, ge=4 * 1024)


class TurnConfig(_Section):
    """Limits of a turn: seconds for all its messages, and for how long a head is trusted after it."""

    seconds: float = Field(default=600.0, gt=0)
    cache_seconds: float = Field(default=5.0, ge=0)


class QuestionConfig(_Section):
    """Seconds a message waits for a person's answer, and how long before their end people are reminded; 0 for never."""

    seconds: float = Field(default=7 * 86_400.0, ge=0)
    reminder_seconds: float = Field(default=86_400.0, ge=0)


class SchedulerConfig(_Section):
    """How much a lane lets run; see `aos.workflows.scheduling.lane_state.LaneLimits`."""

    max_running: int = Field(default=100, ge=1, le=100_000)
    reserved: int | None = Field(default=None, ge=0)
    limit_seconds: float = Field(default=3_600.0, gt=0)
    patience_seconds: float = Field(default=300.0, ge=0)


class ApiConfig(_Section):
    """Settings of the API.

    Attributes:
        streaming: Answer HTTP through the streaming extension.
        max_body_bytes: Limit of a JSON body.
        mcp_wait_seconds: How long a call over MCP waits for the agent's answer where the caller does not say.
        public_url: Where people reach the host, as in `https://aos.example.com`; links begin with it.
    """

    streaming: bool = False
    max_body_bytes: int = Field(default=10 * 1024 * 1024, ge=1024)
    max_artifact_bytes: int = Field(default=100 * 1024 * 1024, ge=1024)
    max_wait_seconds: float = Field(default=60.0, ge=0, le=200)
    mcp_wait_seconds: float = Field(default=20.0, ge=0, le=200)
    public_url: str | None = Field(default=None, pattern=r"^https?://[^\s?#]+$")


class McpConfig(_Section):
    """The MCP servers whose tools agents may use.

    Attributes:
        file: Names them, as `mcp.json` does; without it `mcp.json` in the working folder, if there is one.
        stdio: Whether a server may be a process that is started here.
    """

    file: Path | None = None
    stdio: bool = False


class CallbackConfig(_Section):
    """How callers are told that their work has ended.

    Attributes:
        hosts: Hosts that may be called, such as `app.example.com` or `*.example.com`; a list, or a text with commas.
        key: Signs what is sent: `whsec_` and at least 24 random bytes in Base64. No callbacks without it.
        allow_private: Let these hosts have addresses inside: loopback, private and the like.
    """

    hosts: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    key: SecretStr | None = None
    allow_private: bool = False


class AOSConfig(_Section):
    """All settings of the system that are its own.

    Attributes:
        environment: Where it runs.
        log_level: Least level that is logged.
        agents_package: Python package whose sub-packages and `.agent.md` files are the agents.
        agent_registry: A file with further agents, in the form of `agent_registry.json`.
        app_registry: A file with business apps, in the form of `app_registry.json`.
        storage_connection_string, servicebus_connection_string: Connections given by hand; without them the app
            settings `AosStorage`, `AzureWebJobsStorage` and `ServiceBus` are used.
    """

    environment: Literal["local", "development", "test", "staging", "production"] = "development"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    agents_package: str = "agents"
    agent_registry: Path | None = None
    app_registry: Path | None = None
    storage_connection_string: SecretStr | None = None
    servicebus_connection_string: SecretStr | None = None
    storage: StorageConfig = StorageConfig()
    messaging: MessagingConfig = MessagingConfig()
    turn: TurnConfig = TurnConfig()
    questions: QuestionConfig = QuestionConfig()
    scheduler: SchedulerConfig = SchedulerConfig()
    api: ApiConfig = ApiConfig()
    callbacks: CallbackConfig = CallbackConfig()
    mcp: McpConfig = McpConfig()

    @classmethod
    def load(cls, *, file: Path | None = None, environ: Mapping[str, str] | None = None, **runtime: Any) -> AOSConfig:
        """Put the configuration together.

        Args:
            file: A JSON file with any of the settings; `AOS_CONFIG_FILE` names one otherwise. `${NAME}` in it stands
                for an environment variable.
            environ: Environment variables. `AOS_LOG_LEVEL` sets `log_level`, `AOS_STORAGE_CONTAINER` sets
                `storage.container`, and so on; `APP_ENVIRONMENT` stands for `AOS_ENVIRONMENT`.
            **runtime: Settings that win over all others; sections as dictionaries.

        Raises:
            SettingInvalid: a setting has a value it cannot have; the message names it and where it came from.
        """
        gathered = gather(cls, file=file, environ=environ or {}, runtime=runtime)
        try:
            return cls.model_validate(gathered.values)
        except ValidationError as error:
            raise SettingInvalid(problem(cls, gathered, error.errors()[0])) from error

    def kernel_settings(self) -> KernelSettings:
        return KernelSettings(
            inbox=self.messaging.inbox,
            events=self.messaging.events,
            cache_seconds=self.turn.cache_seconds,
            turn_seconds=self.turn.seconds,
            questions=QuestionTerms(self.questions.seconds, self.questions.reminder_seconds),
        )
