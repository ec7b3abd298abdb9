"""What every mutation answers: the state reached, when, and the server's revision of the record."""

from __future__ import annotations

import strawberry

from schema.blocks.scalars import DateTime


@strawberry.interface(description="The outcome of a write; repeating its key repeats the outcome.")
class Written:
    """Fields read off the record a service answers a mutation with."""

    state: str = strawberry.field(description="Where the write led to; a new word may appear.")
    updated_at: DateTime
    revision: int = strawberry.field(description="Rises with every change of the record.")
