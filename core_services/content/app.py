"""Content as the kit runs it: settings, routes, demo data; the kit composes the rest."""

from core_services.content.routes import router
from core_services.content.seed import seed_tables
from core_services.content.settings import ContentSettings
from core_services.kit.service import Service

SERVICE = Service(
    name="content",
    summary="Items with their counters and comments, feeds, and what viewers saved and began.",
    settings=ContentSettings,
    router=router,
    seed=seed_tables,
)
