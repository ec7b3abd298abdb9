"""Bugs that a compiler of operations is likely to have; every one must be caught by a proof.

Each is a small change to the compiler's text. Proofs that catch all of them prove something; a bug
whose place is not found any more is written anew with the change that moved it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.compiler.planting import Change


@dataclass(frozen=True)
class Bug:
    """`by` names the proof that is asked first; any may catch it."""

    name: str
    by: str
    changes: tuple[Change, ...]


def bug(name: str, by: str, *changes: tuple[str, str, str]) -> Bug:
    return Bug(name, by, tuple(Change(*one) for one in changes))


INT = "type($) is int and -2147483648 <= $ <= 2147483647"
FLOAT = "type($) is float and $ - $ == 0.0"
COERCED = "({found} := {coerced}($)) is not None"

RELEASED = "                self._put(pending, value)\n            self._run.release(pending)"

MOVED = "    for wave in run.waves:\n        _move(wave.keys, found, run.data)\n"

CLASS = "            class_of(subject.touched),\n"
STAY = "[one for index, one in"
SENT = "if held is not None and not held:\n            return FieldText"

VALUES = (
    bug("bool as Int", "table", ("leaves.py", INT, INT.replace("type($) is int", "$ in (0, 1)"))),
    bug("no range of Int", "table", ("leaves.py", INT, "type($) is int")),
    bug("not a number", "table", ("leaves.py", FLOAT, "type($) is float")),
    bug("infinity", "table", ("leaves.py", FLOAT, "type($) is float and $ == $")),
    bug(
        "enum by equality",
        "enums",
        ("leaves.py", "{(type(raw), raw): name for", "{raw: name for"),
        ("leaves.py", "frozenset(kind for kind, _ in names)", "(str, int)"),
        ("leaves.py", "type($) in {known}_classes", "isinstance($, {known}_classes)"),
        ("leaves.py", ".get((type($), $))", ".get($)"),
    ),
    bug(
        "null from a scalar's coercion",
        "table",
        ("leaves.py", COERCED, "({found} := {coerced}($)) is not {coerced}"),
    ),
    bug(
        "undefined as a value",
        "table",
        ("complete.py", "found = None if value is None or value is Undefined else", "found ="),
    ),
)

SOURCES = (
    bug(
        "is_type_of not asked",
        "directed",
        ("complete.py", "    is_type_of = declared.is_type_of\n", "    is_type_of = None\n"),
    ),
    bug(
        "class learnt in spite of is_type_of",
        "directed",
        ("complete.py", "teachable = asks_class_only(is_type_of)", "teachable = True"),
        ("complete.py", "is_plain if is_type_of is None else is_record", "is_plain"),
    ),
    bug(
        "abstract type kept for a class",
        "directed",
        ("compiler.py", "teachable = decides_by_class(declared, types)", "teachable = True"),
        ("complete.py", "len(self.learnt) < MAX_LEARNT and is_record(value)", "is_plain(value)"),
    ),
    bug(
        "function of a source not called",
        "directed",
        ("source.py", 'if one.access.kind != "default":', "if True:"),
    ),
    bug(
        "awaitable item not awaited",
        "directed",
        ("source.py", "if type(x) is Pending: x.container = items; x.key = i", "pass"),
    ),
    bug(
        "late type test not believed",
        "directed",
        (
            "complete.py",
            "    def confirmed(belongs: Any, value: Any, place: Place, run: Run) -> Any:\n",
            "    def confirmed(belongs: Any, value: Any, place: Place, run: Run) -> Any:\n"
            "        belongs = True\n",
        ),
    ),
    bug(
        "null for an argument that must not be",
        "strawberry",
        ("arguments.py", "elif value is None and strict:", "elif False:"),
    ),
    bug(
        "permissions passed by",
        "strawberry",
        ("access.py", "is StrawberryField and not known.extensions", "is StrawberryField"),
    ),
    bug(
        "field of an own class passed by",
        "strawberry",
        ("access.py", "type(known) is StrawberryField", "isinstance(known, StrawberryField)"),
    ),
    bug(
        "arguments of another alias",
        "fuzz",
        ("run.py", "known = self._arguments.get(field)", "known = self._arguments.get(field.name)"),
        ("run.py", "self._arguments[field] = known", "self._arguments[field.name] = known"),
    ),
)

VARIABLES = (
    bug(
        "any Int variable",
        "variables",
        ("variables.py", "type(value) is int and value in INT", "type(value) is int"),
    ),
    bug(
        "null for a required variable",
        "variables",
        (
            "variables.py",
            "            if value is Undefined:\n                raise",
            "            if 0:\n                raise",
        ),
    ),
    bug(
        "default in place of null",
        "variables",
        ("variables.py", "given.get(self.name, Undefined)", "given.get(self.name) or Undefined"),
    ),
)

ANSWERS = (
    bug(
        "outcome of @skip ignored",
        "directed",
        (
            "store.py",
            "return tuple(coerced.get(name, Undefined) for name in self.deciding)",
            "return ()",
        ),
    ),
    bug(
        "order of keys lost",
        "directed",
        (
            "source.py",
            'items = ", ".join(f"{one.key!r}: {one.constant or one.slot}" for one in fields)',
            'items = ", ".join(sorted(f"{one.key!r}: {one.constant or one.slot}"\n'
            "            for one in fields))",
        ),
    ),
    bug("fields not merged", "fuzz", ("compiler.py", "plan.details,\n", "plan.details[:1],\n")),
    bug(
        "info of one node",
        "directed",
        ("run.py", "list(field.nodes), field.parent", "field.nodes[:1], field.parent"),
    ),
    bug("info of another place", "fuzz", ("run.py", "known[0] is place", "known[0]")),
    bug("path without its order", "directed", ("places.py", "    keys.reverse()\n", "")),
    bug(
        "index of an item", "directed", ("source.py", "i = 0; it = iter(v)", "i = 1; it = iter(v)")
    ),
    bug(
        "null in a strict list",
        "directed",
        ("compiler.py", "strict = isinstance(declared.of_type, GraphQLNonNull)", "strict = False"),
    ),
    bug(
        "null that must not be",
        "fuzz",
        ("run.py", "        if field.non_null:\n            raise located\n", ""),
    ),
    bug(
        "mutation fields at once",
        "directed",
        (
            "perform.py",
            "        if run.pending or any(wave.keys for wave in run.waves):\n            return",
            "        if group == len(plan.roots) - 1 and run.pending:\n            return",
        ),
    ),
    bug(
        "others' futures cancelled",
        "directed",
        ("driver.py", "if all(one.awaitable is not future for one in waiting):", "if True:"),
    ),
)

BATCHES = (
    bug(
        "feeder dropped",
        "waves",
        ("compiler.py", "for feeder in wave.feeders}))", "for feeder in wave.feeders if False}))"),
    ),
    bug(
        "join budget ignored",
        "waves",
        ("driver.py", "wave.overdue = True", "wave.overdue = False"),
    ),
    bug("late keys not told", "waves", ("driver.py", "        if late:\n", "        if False:\n")),
    bug(
        "awaited values not waited for",
        "waves",
        ("run.py", "            self.waves[index].waiting += 1\n", "            pass\n"),
        ("run.py", "            self.waves[index].waiting -= 1\n", "            pass\n"),
    ),
    bug("failed resolver waited for", "waves", ("driver.py", RELEASED, RELEASED.split("\n")[0])),
    bug(
        "one fragment's calls at two depths",
        "waves",
        ("compiler.py", "if self._bound_to_a_place == before:", "if True:"),
    ),
    bug("place of a mutation's record", "waves", ("perform.py", MOVED, "")),
    bug("end of a feeder not told", "waves", ("waves.py", "wave.done = True\n", "continue\n")),
    bug(
        "second place of a key lost",
        "waves",
        ("source.py", ".keys[{key}].append({slot})", ".keys[{key}][:] = [{slot}]"),
    ),
)

FENCES = (
    bug("fence class ignored in the key", "fences", ("store.py", CLASS, '            "",\n')),
    bug(
        "dropped item left as null",
        "fences",
        ("withheld.py", STAY, "[None if index in indexes else one for index, one in"),
        ("withheld.py", "enumerate(items) if index not in indexes]", "enumerate(items)]"),
    ),
    bug(
        "error of what is withheld told",
        "fences",
        ("withheld.py", "if path in gone or _is_below(path, gone):", "if False:"),
    ),
    bug("place of an error not moved", "fences", ("withheld.py", "if now == path:", "if True:")),
    bug(
        "fallback that the build does not know",
        "fences",
        ("fencing.py", " and instead not in withheld\n", "\n"),
    ),
    bug(
        "fragments not read for the fence",
        "fences",
        ("reads.py", "in walk.spread - done if name in fragments", "in ()"),
    ),
    bug(
        "withheld member at a glance",
        "fences",
        (
            "leaves.py",
            " for raw, name in _members(declared) if name not in withheld]",
            " for raw, name in _members(declared)]",
        ),
    ),
    bug(
        "withheld type sent",
        "fences",
        ("compiler.py", "            if one.name not in withheld\n", ""),
    ),
    bug(
        "field executed that nobody may have",
        "fences",
        ("compiler.py", "if held is not None:\n            return FieldText", SENT),
    ),
    bug(
        "null where it must not be",
        "fences",
        ("withheld.py", "            if nullable:\n", "            if True:\n"),
    ),
    bug(
        "what is below a gap counted",
        "fences",
        ("withheld.py", "        self._leave_the_highest()\n", ""),
    ),
    bug(
        "type of the resolver in place of the interface's",
        "fences",
        ("compiler.py", "if declared.name in self._withheld(plan):", "if False:"),
    ),
)

BUGS = (*VALUES, *SOURCES, *VARIABLES, *ANSWERS, *BATCHES, *FENCES)
