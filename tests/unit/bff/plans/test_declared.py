"""What a field is declared to be, screen or section, is carried in the plan as data."""

from __future__ import annotations

import strawberry
from graphql import OperationDefinitionNode, parse

from bff.contract import Screen, Section, SectionFallback, batch_field
from bff.plans.execute import graphql_schema
from bff.plans.planner import compile_alone
from tests.unit.bff.plans.wave_world import Person, PersonLoader


def _key(root: object) -> str:
    return "me"


@strawberry.type
class Home:
    viewer: Person | None = batch_field(PersonLoader, _key)
    friends: Person | None = batch_field(
        PersonLoader, _key, directives=[Section(budget_ms=300, fallback=SectionFallback.STALE)]
    )


@strawberry.type
class Query:
    home: Home = strawberry.field(resolver=lambda: Home(), directives=[Screen()])


SCHEMA = graphql_schema(strawberry.Schema(Query))


def test_screens_and_sections_are_planned() -> None:
    """The plan names its screen by its key in the answer, and each section with what was declared;
    every step below a section knows it."""
    document = parse("{ start: home { viewer { id } friends { friend { id } } } }")
    definition = document.definitions[0]
    assert isinstance(definition, OperationDefinitionNode)
    plan = compile_alone(SCHEMA, document, definition, {}).plan
    assert plan.screens == ("start",)
    (section,) = plan.sections
    assert section.path == "start.friends"
    assert (section.declared.budget_ms, section.declared.fallback) == (300, SectionFallback.STALE)
    assert not section.declared.critical
    owners = {step.path: step.section for wave in plan.waves() for step in wave.steps}
    assert owners == {
        "start.viewer (Home)": None,
        "start.friends (Home)": section,
        "start.friends.friend (Person)": section,
    }
