"""Settings of content: what the kit takes, under CONTENT__; nothing of its own."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from core_services.kit.settings import ServiceSettings


class ContentSettings(ServiceSettings):
    """Environment variables CONTENT__…, for example CONTENT__DATABASE_URL."""

    model_config = SettingsConfigDict(env_prefix="content__")

    database_url: str = Field(default="sqlite+aiosqlite:///./.data/content.db", repr=False)
