"""Promises of bff/documents/model.py."""

import pytest

from bff.errors import ValidationFailed

from .samples import HOME, ITEM, SAVE, preparer, trees

TWO = preparer().registered(f"{HOME} {SAVE}", "two", trees())
ONE = preparer().registered(ITEM, "one", trees())
ANONYMOUS = preparer().registered("{ numbers }", "anonymous", trees())


def test_named_operation_is_chosen() -> None:
    """The operation a request names is the one it gets."""
    assert TWO.choose("Save", names_shown=False).type == "mutation"
    assert TWO.choose("Home", names_shown=False).name == "Home"


@pytest.mark.parametrize("name", [None, ""])
def test_single_operation_needs_no_name(name: str | None) -> None:
    """Without a name, or with an empty one, a single operation is meant."""
    assert ONE.choose(name, names_shown=False).name == "Item"
    assert ANONYMOUS.choose(name, names_shown=False).name is None


@pytest.mark.parametrize("name", [None, "", "Nothing", "home"])
def test_choice_must_be_clear(name: str | None) -> None:
    """Several operations and no name, or a name none has, is a validation failure."""
    with pytest.raises(ValidationFailed, match="operationName") as refused:
        TWO.choose(name, names_shown=True)
    assert "it has Home, Save" in refused.value.message
    assert refused.value.errors[0]["locations"] == [{"line": 1, "column": 1}]


def test_names_are_hidden_in_production() -> None:
    """Where names are not shown, the refusal tells none."""
    with pytest.raises(ValidationFailed) as refused:
        TWO.choose("Nothing", names_shown=False)
    assert "Home" not in str(refused.value.errors)


def test_anonymous_operation_has_no_name() -> None:
    """An anonymous operation cannot be asked for by a name."""
    with pytest.raises(ValidationFailed, match=r"\(anonymous\)"):
        ANONYMOUS.choose("Home", names_shown=True)
