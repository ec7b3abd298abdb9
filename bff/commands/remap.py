"""`bff release remap`: runs a patched document in place of a shipped one; the proof that its builds
can read the answer is `hot_fix.py`'s."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bff import config as settings_module
from bff.commands.hot_fix import HotFix, Patch
from bff.commands.release import named_release, open_access, write_entry, writing
from bff.commands.schema import named_platforms
from bff.errors import ConfigError


@click.command()
@click.argument("document_id", metavar="DOCUMENT_ID")
@click.argument(
    "text", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--release", "name", metavar="VERSION+BUILD", help="Default: all that send the id.")
@click.option("--undo", is_flag=True, help="The published text runs again.")
@click.option("--force", is_flag=True, help="Undo it though that text is broken; needs --reason.")
@writing
def remap(
    document_id: str,
    text: Path | None,
    name: str | None,
    undo: bool,
    force: bool,
    **options: Any,
) -> None:
    """Run the document in TEXT in place of a shipped one, after a proof that every build that sends
    it can read the answer."""
    if undo == (text is not None):
        raise ConfigError("give a file with the text to run, or --undo")
    if force and not (undo and options["reason"]):
        raise ConfigError("--force is for --undo, which may break a release: say in --reason why")
    opened = open_access(options["platform"], options["url"], options["key"])
    config = named_platforms(options["platform"])[options["platform"]]
    fix = HotFix(opened.registry, config, settings_module.load())
    if name is not None:
        named_release(opened.registry.state, name)
    if text is None:
        write_entry(opened, options, fix.undo(document_id, name, options["reason"], force=force))
        return
    try:
        patch = Patch(text, text.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{text}: {error}") from error
    write_entry(opened, options, lambda state: fix.entry(state, document_id, name, patch, options))
