"""NamedTuple of bpetok.base.records is that of typing, made faster."""

from __future__ import annotations

import copy
import inspect
import pickle
import typing
from typing import Any, get_type_hints

import pytest

from bpetok.base import records


class Ours(records.NamedTuple):
    """Two numbers and a name."""

    left: int
    right: int = 2
    name: str | None = None

    @property
    def total(self) -> int:
        """Both together."""
        return self.left + self.right

    def renamed(self, name: str) -> Ours:
        """Return the same numbers with another name."""
        return self._replace(name=name)


class Theirs(typing.NamedTuple):
    """Two numbers and a name."""

    left: int
    right: int = 2
    name: str | None = None


def copy_replace(given: Any, **values: Any) -> Any:
    """Return what copy.replace does, from Python 3.13 on."""
    return type(given).__replace__(given, **values)


BOTH: list[Any] = [Ours, Theirs]


@pytest.mark.parametrize("kind", BOTH)
def test_fields_are_given_by_place_and_by_name(kind: Any) -> None:
    assert tuple(kind(1)) == (1, 2, None)
    assert kind(1, name="x", right=3) == (1, 3, "x") == kind(1, 3, "x")
    assert kind(1).right == 2 == kind(1)[1]
    assert kind._make([1, 3, "x"]) == kind(1, 3, "x")


@pytest.mark.parametrize("kind", BOTH)
def test_what_does_not_fit_is_refused(kind: Any) -> None:
    for given, named in (((), {}), ((1, 2, "x", 4), {}), ((1,), {"left": 1}), ((1,), {"up": 1})):
        with pytest.raises(TypeError, match=r"__new__|argument"):
            kind(*given, **named)
    with pytest.raises((TypeError, ValueError), match="unexpected field names"):
        kind(1)._replace(up=1)
    for values in ([1], [1, 2, "x", 4]):
        with pytest.raises(TypeError, match=f"Expected 3 arguments, got {len(values)}"):
            kind._make(values)
    with pytest.raises(AttributeError):
        kind(1).left = 2
    with pytest.raises(AttributeError):
        kind(1).up = 2


def test_a_class_tells_the_same_of_itself() -> None:
    names = ("_fields", "_field_defaults", "__match_args__", "__doc__", "__module__", "__slots__")
    for name in names:
        assert getattr(Ours, name) == getattr(Theirs, name)
    assert get_type_hints(Ours) == get_type_hints(Theirs)
    parameters = inspect.signature(Ours).parameters
    assert {name: one.default for name, one in parameters.items()} == {
        name: one.default for name, one in inspect.signature(Theirs).parameters.items()
    }
    assert [one.annotation for one in parameters.values()] == ["int", "int", "str | None"]
    assert repr(Ours(1, name="x")) == repr(Theirs(1, name="x")).replace("Theirs", "Ours")
    assert Ours(1)._asdict() == Theirs(1)._asdict() == {"left": 1, "right": 2, "name": None}
    assert issubclass(Ours, tuple)
    assert not hasattr(Ours(1), "__dict__")


def test_methods_and_properties_stay() -> None:
    assert Ours(1).total == 3
    assert Ours(1).renamed("x") == (1, 2, "x")
    assert isinstance(Ours(1).renamed("x"), Ours)


def test_a_class_with_another_constructor_can_be_copied() -> None:
    """Whose fields are not what it is called with."""

    for kind in BOTH:

        def of_sum(cls: Any, *numbers: int, kind: Any = kind) -> Any:
            return kind.__new__(cls, sum(numbers))

        made = type("Sum", (kind,), {"__new__": of_sum})(1, 2, 3)
        assert made._replace(right=4) == (6, 4, None)


def test_copies_are_of_the_same_class() -> None:
    assert copy_replace(Ours(1), name="x") == (1, 2, "x")
    for one in (copy.copy(Ours(1)), copy.deepcopy(Ours(1)), pickle.loads(pickle.dumps(Ours(1)))):
        assert one == Ours(1)
        assert type(one) is Ours


def test_fields_can_be_matched() -> None:
    match Ours(1, name="x"):
        case Ours(left, name=name):
            assert (left, name) == (1, "x")
        case _:
            pytest.fail("no match")


def test_names_that_typing_refuses_are_refused() -> None:
    for body in ("_left: int", "left: int = 1\n    right: int", "left = 1"):
        with pytest.raises((TypeError, ValueError), match="must have"):
            exec(
                "from __future__ import annotations\nfrom bpetok.base.records import NamedTuple\n"
                f"class One(NamedTuple):\n    {body}\n"
            )
