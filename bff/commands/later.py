"""Verbs that are imported when they are called: what one needs costs nobody else a start."""

from __future__ import annotations

import importlib
from functools import cached_property

import click


class Later(click.Command):
    """Stands in a group for the command at `where` (`module:name`), which `help` tells of in the
    words of its own first sentence."""

    def __init__(self, name: str, where: str, help: str) -> None:
        super().__init__(name, help=help)
        self.where = where

    @cached_property
    def command(self) -> click.Command:
        """The command itself."""
        module, _, name = self.where.partition(":")
        found = getattr(importlib.import_module(module), name)
        if not isinstance(found, click.Command):
            raise TypeError(f"{self.where} is no command")
        return found


class Verbs(click.Group):
    """A group that may hold such verbs; its help imports none of them."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.command if isinstance(command, Later) else command, rest
