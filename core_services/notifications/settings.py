"""Settings of notifications: what the kit takes, under NOTIFICATIONS__; nothing of its own."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from core_services.kit.settings import ServiceSettings


class NotificationsSettings(ServiceSettings):
    """Environment variables NOTIFICATIONS__…, for example NOTIFICATIONS__DATABASE_URL."""

    model_config = SettingsConfigDict(env_prefix="notifications__")

    database_url: str = Field(default="sqlite+aiosqlite:///./.data/notifications.db", repr=False)
