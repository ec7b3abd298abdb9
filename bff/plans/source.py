"""Writes the text of a plan's functions: one for each object type and selection, list and record.

    def o3(s, p, r):   s: the value of the object, p: its place, r: the run
    def l4(v, q, r):   v: a list, q: its place
    def b5(v, q, r):   v: the record a wave brought, q: the place of its field

Only names the GraphQL grammar allows, checked identifiers and numbers enter the text; every value
is handed in beside it. What the text does not take at a glance goes to a completer (`C…`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bff.plans.access import Access
from bff.plans.fencing import ABSENT, Held
from bff.plans.leaves import Fast


@dataclass(slots=True)
class Glance:
    """How a value is taken at a glance, and the completer for the rest. `item` is the same of the
    members where the value is a list."""

    fast: Fast
    completer: str
    item: Glance | None = None


@dataclass(slots=True)
class FieldText:
    """One field of an object function."""

    number: int
    key: str
    access: Access
    glance: Glance
    wave: int = 0
    record: str = ""
    item_record: str | None = None
    constant: str | None = None
    generic: str | None = None
    held: Held | None = None

    @property
    def place(self) -> str:
        return f"(p, {self.key!r}, F{self.number})"

    @property
    def slot(self) -> str:
        return f"v{self.number}"


@dataclass(slots=True)
class Writer:
    """Collects the text."""

    lines: list[str] = field(default_factory=list)

    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    def object_function(self, name: str, comment: str, fields: list[FieldText]) -> None:
        body: list[str] = []
        linked = False
        for one in fields:
            linked = _field(body, one) or linked
        mapped = any(one.access.kind == "default" for one in fields if _is_read(one))
        items = ", ".join(f"{one.key!r}: {one.constant or one.slot}" for one in fields)
        out = self.lines
        out.append(f"def {name}(s, p, r):  # {comment}")
        if linked:
            out.append("  w = 0")
        if mapped:
            out.append("  m = isinstance(s, Mapping)")
        out += body
        out.append(f"  d = {{{items}}}")
        for one in fields:
            if _is_read(one) and one.access.kind == "batch":
                _want(out, one)
        if linked:
            out.append("  if w: r.link(d)")
        out.append("  return d")

    def list_function(self, name: str, glance: Glance, non_null: bool) -> None:
        """The loop over the members of a list; what is awaited among them stands in the list."""
        slow = [
            f"x = {glance.completer}(x, (q, i, None), r)",
            "if type(x) is Pending: x.container = items; x.key = i",
        ]
        out = self.lines
        out += [
            f"def {name}(v, q, r):",
            "  items = []; add = items.append; i = 0; it = iter(v)",
            "  try:",
            "    for x in it:",
            "      try:",
            *_indented("        ", _at_a_glance(glance, "x", "(q, i, None)", slow)),
            "      except Exception as e:",
            f"        x = r.fail_item((q, i, None), {non_null}, e)",
            "      add(x); i += 1",
            "  except Exception:",
            "    r.drain(it)",
            "    raise",
            "  return items",
        ]

    def record_function(self, name: str, glance: Glance) -> None:
        """What a wave's record becomes in the answer."""
        slow = [f"v = {glance.completer}(v, q, r)"]
        self.lines += [
            f"def {name}(v, q, r):",
            *_indented("  ", _at_a_glance(glance, "v", "q", slow)),
            "  return v",
        ]


def _is_read(one: FieldText) -> bool:
    return one.constant is None and one.generic is None and one.held is None


def _indented(by: str, lines: list[str]) -> list[str]:
    return [by + line for line in lines]


def _at_a_glance(glance: Glance, name: str, place: str, slow: list[str]) -> list[str]:
    """Statements that complete the value in a variable: quickly where its class tells all."""
    fast = glance.fast
    test = fast.test.replace("$", name)
    if test == "False":
        head = f"if {name} is not None:" if fast.nullable else "if True:"
        return [head, *_indented("  ", slow)]
    if fast.value is None:
        absent = f" and {name} is not None" if fast.nullable else ""
        return [f"if not ({test}){absent}:", *_indented("  ", slow)]
    value = fast.value.replace("$", name).replace("@", place)
    other = f"elif {name} is not None:" if fast.nullable else "else:"
    return [f"if {test}: {name} = {value}", other, *_indented("  ", slow)]


def _field(out: list[str], one: FieldText) -> bool:
    """The statements that leave the value in `v…`; whether something there may be pending."""
    if one.constant is not None:
        return False
    if one.generic is not None:
        reason = one.generic
        found = f"r.generic_field(F{one.number}, s, {one.place}, {reason!r})"
        out.append(f"  {one.slot} = {found}; w = 1")
        return True
    if one.held is not None:
        _hold(out, one)
        return False
    place = one.place
    out.append("  try:")
    if one.access.needs_place:
        out.append(f"    q = {place}")
        place = "q"
    if one.access.kind == "batch":
        _key(out, one, place)
        return False
    if one.access.takes_arguments:  # what does not fit is an error, also where nobody takes it
        out.append(f"    a = r.arguments(F{one.number})")
    out.append(f"    {one.slot} = {one.access.text}")
    out += _indented("    ", _at_a_glance(one.glance, one.slot, place, _slowly(one, place)))
    out += [
        "  except Exception as e:",
        f"    {one.slot} = r.fail(F{one.number}, p, e)",
    ]
    return True


def _hold(out: list[str], one: FieldText) -> None:
    """A field that a fence holds back."""
    absent = f"{one.slot} = r.withhold({one.place})"
    out.append(f"  {absent if one.held == ABSENT else f'{one.slot} = r.sunset(F{one.number}, p)'}")


def _slowly(one: FieldText, place: str) -> list[str]:
    """The completer's way, after a call where the default resolver finds a function."""
    line = f"{one.slot} = {one.glance.completer}({one.slot}, {place}, r); w = 1"
    if one.access.kind != "default":
        return [line]
    arguments = ", **a" if one.access.takes_arguments else ""
    called = f"{one.slot} = {one.slot}(r.info({place}){arguments})"
    return [f"if callable({one.slot}): {called}", line]


def _key(out: list[str], one: FieldText, place: str) -> None:
    """The key of a batch field, and what stands in the answer until its record is there."""
    key = f"k{one.number}"
    out += [
        f"    {key} = {one.access.text}; {one.slot} = None",
        f"    if {key} is None: {one.slot} = {one.glance.completer}(None, {place}, r)",
    ]
    if one.item_record is not None:
        out += [
            f"    elif isinstance({key}, list):",
            f"      {one.slot} = r.want_all({one.wave}, {key}, {one.item_record}, {place})",
            f"      {key} = None",
        ]
    out += [
        "  except Exception as e:",
        f"    {key} = None; {one.slot} = r.fail(F{one.number}, p, e)",
    ]


def _want(out: list[str], one: FieldText) -> None:
    key = f"k{one.number}"
    slot = f"(d, {one.key!r}, {one.record}, {one.place})"
    out += [
        f"  if {key} is not None:",
        f"    try: r.waves[{one.wave}].keys[{key}].append({slot})",
        f"    except Exception as e: d[{one.key!r}] = r.fail(F{one.number}, p, e)",
    ]
