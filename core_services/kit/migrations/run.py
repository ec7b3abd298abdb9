"""Moves a service's database up and down its versions, and says whether it stands at the newest."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from core_services.kit.database import Database

_MIGRATION_LOCK = 4_711_001


def _config(versions: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("version_locations", str(versions).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return config


async def upgrade(database: Database, versions: Path, to: str = "head") -> None:
    """Run the missing versions up to `to` in one transaction.

    Concurrent runs wait for each other.
    """
    await _run(database, versions, to, up=True)


async def downgrade(database: Database, versions: Path, to: str = "base") -> None:
    """Take versions back down to `to` in one transaction."""
    await _run(database, versions, to, up=False)


async def _run(database: Database, versions: Path, to: str, *, up: bool) -> None:
    config = _config(versions)

    def migrate(connection: Connection) -> None:
        if not database.is_sqlite:
            connection.execute(
                text(
                    "SELECT set_config('statement_timeout', '0', true), pg_advisory_xact_lock(:n)"
                ),
                {"n": _MIGRATION_LOCK},
            )
        config.attributes["connection"] = connection
        (command.upgrade if up else command.downgrade)(config, to)

    async with database.writer(unhurried=True) as connection:
        await connection.run_sync(migrate)


def newest_version(versions: Path) -> str | None:
    """Return the id of the newest version in the folder."""
    return ScriptDirectory.from_config(_config(versions)).get_current_head()


async def current_version(database: Database) -> str | None:
    """Return the version the database stands at, None for one never migrated."""
    async with database.reader() as connection:
        return await connection.run_sync(
            lambda sync: MigrationContext.configure(sync).get_current_revision()
        )
