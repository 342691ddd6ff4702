"""Settings say what they may be by their types: in the check, in the message and in the schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.typed import Checked, allowed, read


class Wheel(Checked, frozen=True):
    """A table below a table."""

    size: Annotated[int, Meta(ge=1, le=2000)]
    kind: Literal["front", "back"] = "front"
    pressure: Annotated[float, Meta(gt=0.0, le=9.5)] | None = None


class Bicycle(Checked, frozen=True):
    """A document."""

    wheels: list[Wheel] = msgspec.field(default_factory=list)
    spare: dict[str, Wheel] = msgspec.field(default_factory=dict)
    name: str = ""
    bell: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.name == "train":
            raise ConfigError("name: a train is not a bicycle")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"wheels": [{"size": 28}, {"size": 0}]}, "wheels[2].size = 0 must be a whole number from 1 to 2,000"),
        ({"spare": {"a/b": {"size": 2.5}}}, 'spare."a/b".size = 2.5 must be a whole number from 1 to 2,000'),
        ({"spare": {"left": {"size": 1, "kind": "side"}}}, "spare.left.kind = 'side' must be one of: front, back"),
        ({"wheels": [{"size": 1, "pressure": 0.0}]}, "wheels[1].pressure = 0.0 must be a positive number up to 9.5"),
        ({"wheels": [{"size": 1, "pressure": float("nan")}]}, "wheels[1].pressure = nan must be a positive number"),
        ({"wheels": [{"kind": "front"}]}, "wheels[1] has no 'size', which must be there"),
        ({"wheels": [28]}, "wheels[1] = 28 must be a table"),
        ({"wheels": {}}, "wheels = {} must be a list"),
        ({"bell": 1}, "bell = 1 must be true or false"),
        ({"name": 1}, "name = 1 must be a text"),
        ({"bel": True}, "the file has no 'bel'; it has: wheels, spare, name, bell"),
        ({"name": "train"}, "name: a train is not a bicycle"),
    ],
)
def test_the_first_fault_is_told_with_its_place_its_value_and_what_is_allowed(given: Any, says: str) -> None:
    with pytest.raises(ConfigError) as told:
        read(given, Bicycle)
    assert says in str(told.value)
    with pytest.raises(ConfigError) as told:
        read(given, Bicycle, "bicycle.toml")
    assert str(told.value).startswith("bicycle.toml")


def test_a_value_that_breaks_its_type_cannot_be_built_or_changed_to() -> None:
    wheel = Wheel(28, pressure=2.5)
    for wrong, says in (({"size": 0}, "size = 0 must be"), ({"kind": "side"}, "one of: front, back")):
        with pytest.raises(ConfigError, match=says):
            msgspec.structs.replace(wheel, **wrong)
    with pytest.raises(ConfigError, match="pressure = inf must be"):
        Wheel(28, pressure=float("inf"))
    assert read({"wheels": [{"size": 28, "pressure": 2}]}, Bicycle).wheels == [Wheel(28, pressure=2.0)]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Annotated[float, Meta(ge=0.0)], "a number from 0 on"),
        (Annotated[float, Meta(le=1.0)], "a number up to 1"),
        (Annotated[int, Meta(gt=0)], "a positive whole number"),
        (Literal["a", "b"] | None, "one of: a, b"),
        (dict[str, int], "a table"),
    ],
)
def test_what_is_allowed_in_words(kind: Any, words: str) -> None:
    assert allowed(kind) == words
