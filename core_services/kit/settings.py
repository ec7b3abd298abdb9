"""Settings of a core service: environment over defaults, unknown keys refused.

It opens no file itself.
"""

import os
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

Seconds = Annotated[float, Field(gt=0, le=600)]


class SettingsError(Exception):
    """The settings cannot be used; the message names each variable and what to do about it."""


class ServiceSettings(BaseSettings):
    """What every core service takes.

    A service subclasses it and sets `env_prefix` and the database.

    `call_grace_s`: how long calls in flight may still take after SIGTERM. `max_in_flight`: calls
    answered at once; more are refused with OVERLOADED. `lame_duck_s`: how long after SIGTERM calls
    are still taken, while /readyz says 503. `receipt_timeout_s`: for a request to arrive.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
    )

    environment: Literal["development", "production"] = Field(
        default="development", validation_alias="BFF_ENV"
    )
    database_url: str = Field(repr=False)
    database_pool_size: int = Field(default=8, ge=1, le=200)
    lock_timeout_s: Seconds = 5.0
    statement_timeout_s: Seconds = 10.0
    callers_file: Path | None = None
    traces_file: Path | None = None
    otlp_endpoint: str | None = Field(default=None, pattern="^https?://")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    call_grace_s: Seconds = 10.0
    max_in_flight: int = Field(default=256, ge=1, le=100_000)
    lame_duck_s: float = Field(default=0.0, ge=0, le=60)
    receipt_timeout_s: Seconds = 10.0

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if not value.startswith(("sqlite+aiosqlite:///", "postgresql+asyncpg://")):
            raise ValueError(
                "begin with sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER@HOST/NAME"
            )
        try:
            make_url(value)
        except (ArgumentError, ValueError) as error:
            raise ValueError(
                "write postgresql+asyncpg://USER@HOST:PORT/NAME, the port a number"
            ) from error
        return value

    def is_production(self) -> bool:
        """Say whether the closed defaults hold."""
        return self.environment == "production"

    def required_files(self) -> dict[str, Path | None]:
        """Return setting → file for what serving needs; services add to it."""
        return {"callers_file": self.callers_file}

    def check_files(self) -> None:
        """Raise SettingsError for a named file that is missing, in production for an unset one."""
        wrong: list[str] = []
        for name, path in self.required_files().items():
            variable = self.variable(name)
            if path is None and self.is_production():
                wrong.append(f"{variable}: not set; production needs the path of the file")
            elif path is not None and not path.is_file():
                wrong.append(f"{variable}={path}: no such file; create it or correct the path")
        if wrong:
            raise SettingsError("\n".join(wrong))

    def unset_files(self) -> list[str]:
        """Return the variables of files that development does without, so that serving can warn."""
        return [self.variable(name) for name, path in self.required_files().items() if not path]

    @classmethod
    def variable(cls, field: str) -> str:
        """Return the environment variable of a setting, for example ACCOUNTS__DATABASE_URL."""
        if field == "environment":
            return "BFF_ENV"
        return f"{cls.model_config['env_prefix']}{field}".upper()


SettingsType = TypeVar("SettingsType", bound=ServiceSettings)


def load_settings(kind: type[SettingsType]) -> SettingsType:
    """Read a service's settings from the environment.

    SettingsError lists everything that is wrong.
    """
    wrong = _unknown_variables(kind)
    try:
        settings = kind()
    except ValidationError as failure:
        wrong += [_explain(kind, error["loc"], error["msg"]) for error in failure.errors()]
    if wrong:
        raise SettingsError("\n".join(wrong))
    return settings


def _unknown_variables(kind: type[ServiceSettings]) -> list[str]:
    # pydantic-settings looks up what it knows and never sees a misspelt variable.
    prefix = str(kind.model_config["env_prefix"]).upper()
    known = {kind.variable(name) for name in kind.model_fields}
    return [
        f"{name}: unknown setting; known are {', '.join(sorted(known))}"
        for name in sorted(os.environ)
        if name.upper().startswith(prefix) and name.upper() not in known
    ]


def _explain(kind: type[ServiceSettings], location: tuple[int | str, ...], message: str) -> str:
    field = str(location[0]) if location else ""
    variable = field if field == "BFF_ENV" else kind.variable(field)
    value = os.environ.get(variable, "not set")
    shown = "(hidden)" if "URL" in variable else value
    return f"{variable}={shown}: {message}; correct the variable or unset it for the default"
