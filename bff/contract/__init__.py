"""What schema authors declare and the gateway reads: records, batch fields, directives.

A platform's schema says *what* a field needs; how and when it is fetched is the gateway's
(loaders today, compiled plans from the same declaration). This room knows no service.
"""

from bff.contract.backref import strawberry_field
from bff.contract.batch import (
    BatchField,
    LoadingContext,
    Scope,
    ScopedLoader,
    batch_field,
    batch_of,
)
from bff.contract.directives import (
    AlwaysAllowed,
    Fallback,
    Requires,
    Screen,
    ScreenPriority,
    Section,
    SectionFallback,
    Sunset,
    fallback_of,
    fields_requiring,
    is_screen,
    required_capability,
    screen_of,
    section_of,
    sunset_of,
)
from bff.contract.facts import OperationFacts, describe
from bff.contract.lifecycle import Ending, Lifecycle, lifecycle_of
from bff.contract.records import is_record_check, record, records_of

__all__ = [
    "AlwaysAllowed",
    "BatchField",
    "Ending",
    "Fallback",
    "Lifecycle",
    "LoadingContext",
    "OperationFacts",
    "Requires",
    "Scope",
    "ScopedLoader",
    "Screen",
    "ScreenPriority",
    "Section",
    "SectionFallback",
    "Sunset",
    "batch_field",
    "batch_of",
    "describe",
    "fallback_of",
    "fields_requiring",
    "is_record_check",
    "is_screen",
    "lifecycle_of",
    "record",
    "records_of",
    "required_capability",
    "screen_of",
    "section_of",
    "strawberry_field",
    "sunset_of",
]
