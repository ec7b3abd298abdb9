"""Notifications as the kit runs it: settings, routes, demo data; the kit composes the rest."""

from core_services.kit.service import Service
from core_services.notifications.routes import router
from core_services.notifications.seed import seed_tables
from core_services.notifications.settings import NotificationsSettings

SERVICE = Service(
    name="notifications",
    summary="Inboxes, what was read in them, and who wants to be told what.",
    settings=NotificationsSettings,
    router=router,
    seed=seed_tables,
)
