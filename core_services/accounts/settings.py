"""Settings of the accounts service, `ACCOUNTS__…`; it opens no file itself."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from core_services.kit.settings import ServiceSettings


class AccountsSettings(ServiceSettings):
    """What accounts takes beside the common settings.

    `signing_key_file`: private JWK (P-256); without one, development signs with a passing key.
    """

    model_config = SettingsConfigDict(env_prefix="ACCOUNTS__")

    database_url: str = Field(default="sqlite+aiosqlite:///./.data/accounts.db", repr=False)
    signing_key_file: Path | None = None
    issuer: str = Field(
        default="https://accounts.facet.local", pattern="^https?://", max_length=200
    )
    token_life_s: int = Field(default=900, ge=60, le=3600)

    def required_files(self) -> dict[str, Path | None]:
        """Serving needs the key that signs access tokens too."""
        return {**super().required_files(), "signing_key_file": self.signing_key_file}
