"""NamedTuple, as in `typing`, whose classes are made in a sixth of the time.

Those of `typing` compile each annotation, and a function of their own: a class of five fields takes
0.17 ms, and a training imports more than sixty classes. Here annotations stay strings, and classes
of as many fields share what is compiled. What a class has and does is the same, but that `_replace`
raises a TypeError also before Python 3.13, and that its parts have other docstrings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple
else:
    from functools import cache
    from keyword import iskeyword
    from operator import itemgetter
    from types import FunctionType

    class Record(tuple):
        """What all of them share. A class has the names of its fields in ``_fields``."""

        __slots__ = ()
        _fields = ()

        @classmethod
        def _make(cls, values):
            """Return one with these values, in the order of the fields; of all of them."""
            made = tuple.__new__(cls, values)
            given = tuple.__len__(made)
            if given != len(cls._fields):
                raise TypeError(f"Expected {len(cls._fields)} arguments, got {given}")
            return made

        def _replace(self, /, **values):
            """Return one in which some fields have other values."""
            made = self._make(map(values.pop, self._fields, self))
            if values:
                raise TypeError(f"Got unexpected field names: {[*values]!r}")
            return made

        __replace__ = _replace  # which copy.replace calls, from Python 3.13 on

        def _asdict(self):
            """Return a new dict of the fields, by name."""
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self):
            fields = (f"{name}={value!r}" for name, value in self._asdict().items())
            return f"{type(self).__name__}({', '.join(fields)})"

        def __getnewargs__(self):
            """Return what a copy is made of, for pickle."""
            return tuple(self)

    @cache
    def field(index):
        """Return what reads a field; all classes share it."""
        return property(itemgetter(index), doc=f"Field number {index}")

    @cache
    def maker(n_fields):
        """Return the code of ``__new__`` for so many fields, whose names are set afterwards."""
        names = "".join(f"_{i}, " for i in range(n_fields))
        return eval(f"lambda _cls, {names}: new(_cls, ({names}))").__code__  # a number

    class FieldsToRecord(type):
        """Makes a `Record` of a class with annotations."""

        def __new__(cls, name, bases, body):
            """Return the class; what is no field stays as it is."""
            annotations = body.get("__annotations__")
            if annotations is None:
                raise TypeError(f"{name} must have fields, under the future import of annotations")
            fields = tuple(annotations)
            for one in fields:
                if one.startswith("_") or iskeyword(one):
                    raise ValueError(f"{name} must have no field {one!r}")
            defaults = {one: body[one] for one in fields if one in body}
            if any(one in defaults for one in fields[: len(fields) - len(defaults)]):
                raise TypeError(f"{name} must have the fields with defaults last")
            code = maker(len(fields)).replace(co_varnames=("_cls", *fields), co_name="__new__")
            new = FunctionType(code, {"new": tuple.__new__}, "__new__", (*defaults.values(),))
            new.__qualname__ = f"{body['__qualname__']}.__new__"
            new.__annotations__ = annotations  # which help() shows
            made = {**body, "__slots__": (), "__new__": new, "__match_args__": fields}
            made |= {"_fields": fields, "_field_defaults": defaults}
            made |= {one: field(index) for index, one in enumerate(fields)}
            return type(name, (Record,), made)

    NamedTuple = type.__new__(FieldsToRecord, "NamedTuple", (), {})
