"""Composition of the accounts service."""

from typing import Any

from fastapi import FastAPI

from core_services.accounts.attempts import Attempts, forget_attempts
from core_services.accounts.passwords import decoy_hash
from core_services.accounts.routes import router
from core_services.accounts.seed import seed_tables
from core_services.accounts.settings import AccountsSettings
from core_services.accounts.tokens import TokenMint
from core_services.kit.service import Chore, Service


def _start(app: FastAPI, settings: Any) -> None:
    decoy_hash()
    app.state.mint = TokenMint.from_settings(settings)
    app.state.attempts = Attempts()


SERVICE = Service(
    name="accounts",
    summary="Sign-in, profiles, addresses and public account cards.",
    settings=AccountsSettings,
    router=router,
    seed=seed_tables,
    start=_start,
    chores=(Chore("sign-in attempts forgotten", 60, forget_attempts),),
    public_paths=frozenset({"/.well-known/jwks.json"}),
)
