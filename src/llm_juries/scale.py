"""Scales: which values a verdict or a human label can take, and what they mean as numbers.

Every dataset's labels have a scale, and so has every prompt or recording. A value that is not on
its scale is an error or an outcome, never a number; one kind of scale becomes another only where
a threshold is given. Values stay words (or numbers) on disk and in tables: the numeric codes that
measures compute with exist only between `Scale.encode` and `Scale.decode`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from .arguments import check_fields
from .errors import JuriesError, nearest

Kind = Literal["binary", "nominal", "ordinal", "interval", "preference"]

BINARY_WORDS = {
    "1": "1", "true": "1", "yes": "1", "correct": "1",
    "0": "0", "false": "0", "no": "0", "incorrect": "0",
}  # fmt: skip
PREFERENCE_WORDS = {
    "0": "b", "0.5": "tie", "1": "a", "true": "a", "yes": "a", "correct": "a",
    "false": "b", "no": "b", "incorrect": "b",
}  # fmt: skip
MISSING = frozenset({"", "na", "n/a", "nan", "null"})  # unless a scale has such a value
MOST_LEVELS = 101  # an ordinal scale written as a range; more are an interval


@dataclass(frozen=True)
class Scale:
    """The values that a verdict or a label can take.

    Parameters
    ----------
    kind : {"binary", "nominal", "ordinal", "interval", "preference"}
        "binary": a negative and a positive value. "nominal": categories without an order.
        "ordinal": ordered levels, each with a number. "interval": any number in a range.
        "preference": levels from "the second answer is better" to "the first answer is better",
        the same number on either side, with an optional tie in the middle.
    low, high : float, optional
        The ends of an interval, or of an ordinal scale whose levels are whole numbers.
    values : sequence of str
        Binary: negative, positive. Nominal: the categories. Ordinal and preference: the levels from
        the lowest to the highest. Ordinal scales have either these or `low` and `high`.
    numbers : sequence of float, optional
        The number of each ordinal level; by default 0, 1, 2 ... for named levels. They must rise.
    words : mapping of str to str
        Further spellings of values: {"good": "4"}. Compared without regard to case.

    Raises
    ------
    JuriesError
        If the parts do not make a scale of that kind.

    Examples
    --------
    >>> stars = Scale.ordinal(1, 5)
    >>> stars.value(4.0), stars.encode("4"), stars.unit(4.0)
    ('4', 4.0, 0.75)
    """

    kind: Kind
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()
    numbers: tuple[float, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def binary(
        cls, negative: str = "0", positive: str = "1", words: Mapping[str, str] | None = None
    ) -> Self:
        """Return the scale of two values; with the defaults true/false, yes/no are known too."""
        return cls("binary", values=(negative, positive), words=words or {})

    @classmethod
    def nominal(cls, *values: str, words: Mapping[str, str] | None = None) -> Self:
        """Return the scale of some categories without an order."""
        return cls("nominal", values=values, words=words or {})

    @classmethod
    def ordinal(
        cls,
        low: float | None = None,
        high: float | None = None,
        *,
        levels: Sequence[str] = (),
        numbers: Sequence[float] = (),
        words: Mapping[str, str] | None = None,
    ) -> Self:
        """Return the scale of the whole numbers from low to high, or of named levels."""
        return cls("ordinal", low, high, tuple(levels), tuple(numbers), words or {})

    @classmethod
    def interval(cls, low: float, high: float) -> Self:
        """Return the scale of all numbers from low to high."""
        return cls("interval", low, high)

    @classmethod
    def preference(cls, *levels: str, words: Mapping[str, str] | None = None) -> Self:
        """Return the scale of a preference; by default b, tie, a (a: the first answer)."""
        return cls("preference", values=levels or ("b", "tie", "a"), words=words or {})

    def __post_init__(self) -> None:
        check_fields(self, "scale")
        if self.kind not in get_args(Kind):
            known = nearest(self.kind, get_args(Kind))
            raise JuriesError(f"scale: there is no kind {self.kind!r}{known}")
        listed = next((value for value in self.values if isinstance(value, list | tuple)), None)
        if listed is not None:
            one_by_one = ", ".join(map(repr, listed))
            raise JuriesError(
                f"scale: {listed} is a list; give the values one by one: "
                f"Scale.{self.kind}({one_by_one})"
            )
        # What yaml gives: whole numbers as levels, lists for tuples
        object.__setattr__(self, "values", tuple(_text(value) for value in self.values))
        object.__setattr__(self, "numbers", tuple(float(number) for number in self.numbers))
        ranged = self.low is not None or self.high is not None
        if ranged and self.kind not in ("ordinal", "interval"):
            raise JuriesError(f"scale: a {self.kind} scale has no low or high; name its values")
        if ranged:
            self._check_range()
        elif self.kind == "interval":
            raise JuriesError("scale: an interval needs low and high")
        fewest = 0 if ranged else 2
        if len(self.values) < fewest or (self.kind == "binary" and len(self.values) != 2):
            wanted = "two values, the negative one first" if self.kind == "binary" else "values"
            raise JuriesError(f"scale: a {self.kind} scale needs {wanted}; it has {self.values}")
        if self.values and (ranged or self.kind == "interval"):
            raise JuriesError("scale: has low and high and values too; give one of them")
        if any(not value.strip() for value in self.values):
            raise JuriesError("scale: has an empty value; an empty cell is a missing one")
        self._check_numbers()
        self._check_words()

    def _check_range(self) -> None:
        low, high = self.low, self.high
        if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
            raise JuriesError(f"scale: runs from {low} to {high}; give low and high as numbers")
        if low >= high:
            raise JuriesError(f"scale: low is {low:g} and high is {high:g}; low must be lower")
        if self.kind == "ordinal":
            if low != int(low) or high != int(high):
                raise JuriesError(
                    f"scale: the levels from {low:g} to {high:g} are not whole numbers; name them "
                    "with values, or use kind interval"
                )
            if high - low >= MOST_LEVELS:
                raise JuriesError(
                    f"scale: {high - low + 1:g} levels are too many for an ordinal scale; use kind "
                    "interval"
                )

    def _check_numbers(self) -> None:
        if not self.numbers:
            return
        if self.kind != "ordinal" or len(self.numbers) != len(self.values):
            raise JuriesError(
                f"scale: has {len(self.numbers)} numbers for {len(self.values)} values; numbers "
                "belong to the named levels of an ordinal scale, one each"
            )
        if not all(a < b for a, b in zip(self.numbers, self.numbers[1:], strict=False)):
            raise JuriesError("scale: its numbers must rise from level to level")

    def _check_words(self) -> None:
        spelled: dict[str, str] = {}
        for word, value in [*((v, v) for v in self.values), *self.words.items()]:
            value = _text(value)
            if self.values and value not in self.values:
                raise JuriesError(
                    f"scale: the word {word!r} stands for {value!r}, which is not one of its values"
                    f"{nearest(value, self.values)}"
                )
            if spelled.setdefault(_text(word).casefold(), value) != value:
                raise JuriesError(
                    f"scale: {word!r} stands for two values, {value!r} and "
                    f"{spelled[_text(word).casefold()]!r}; case does not tell words apart"
                )

    def __hash__(self) -> int:
        return hash(self.id)

    @cached_property
    def id(self) -> str:
        """What tells this scale from others, in a few characters, for the ids of parsers."""
        parts = self.values or (f"{self.low:g}..{self.high:g}",)
        if self.numbers:
            parts = tuple(f"{v}={n:g}" for v, n in zip(self.values, self.numbers, strict=True))
        words = ",".join(f"{word}>{value}" for word, value in sorted(self.words.items()))
        return f"{self.kind}:{'|'.join(parts)}" + (f":{words}" if words else "")

    def __str__(self) -> str:
        if self.values:
            return f"{self.kind} ({', '.join(self.values)})"
        return f"{self.kind} ({self.low:g} to {self.high:g})"

    @property
    def graded(self) -> bool:
        """Whether values have an order with more to it than two sides: ordinal or interval."""
        return self.kind in ("ordinal", "interval")

    @cached_property
    def levels(self) -> tuple[str, ...]:
        """All values in order, as they stand in tables; none for an interval."""
        if self.values or self.kind == "interval":
            return self.values
        low, high = self._range
        return tuple(str(level) for level in range(int(low), int(high) + 1))

    @cached_property
    def codes(self) -> tuple[float, ...]:
        """The number of each level: the level's own, 0 and 1, a share for a preference."""
        levels = self.levels
        if self.numbers:
            return self.numbers
        if self.kind == "preference":
            return tuple(at / (len(levels) - 1) for at in range(len(levels)))
        if self.kind == "ordinal" and not self.values:
            return tuple(map(float, levels))
        return tuple(map(float, range(len(levels))))

    @property
    def _range(self) -> tuple[float, float]:
        if self.low is None or self.high is None:
            raise TypeError(f"the scale {self} is not a range")
        return self.low, self.high

    @cached_property
    def _by_word(self) -> dict[str, str]:
        usual: Mapping[str, str] = {}
        if self.kind == "binary" and self.values == ("0", "1"):
            usual = BINARY_WORDS
        if self.kind == "preference" and self.values == ("b", "tie", "a"):
            usual = PREFERENCE_WORDS
        own = {_text(word).casefold(): _text(value) for word, value in self.words.items()}
        return {**usual, **{level.casefold(): level for level in self.levels}, **own}

    @cached_property
    def _by_level(self) -> dict[str, float]:
        return dict(zip(self.levels, self.codes, strict=True))

    def value(self, given: object) -> str | None:
        """Return what a cell or a word stands for, as it is written in tables.

        Parameters
        ----------
        given : object
            A word in any case, a number or a boolean. None, NaN and blank text are missing; so are
            NA, N/A, NaN and null, unless they are values of the scale.

        Returns
        -------
        str or None
            A value of the scale; of an interval the number as text. None for a missing one.

        Raises
        ------
        JuriesError
            If it is not on the scale. The message has no place: the caller puts it before.
        """
        if given is None or (isinstance(given, float) and math.isnan(given)):
            return None
        text = _text(given).strip()
        if not text:
            return None
        known = self._by_word.get(text.casefold())
        if known is None:
            known = self._by_word.get(_number_as_text(text))
        if known is None and text.casefold() in MISSING:
            return None
        if known is None and self.kind == "interval":
            return self._in_range(text)
        if known is None:
            raise JuriesError(f"{text!r} is not on the scale {self}")
        return self._in_range(known) if self.kind == "interval" else known

    def value_at(self, given: object, place: str) -> str | None:
        """Return what a cell stands for, as `value` does; an error names the cell's place first.

        Parameters
        ----------
        given : object
        place : str
            File, line and column: "answers.jsonl, line 3, field human".
        """
        try:
            return self.value(given)
        except JuriesError as error:
            raise JuriesError(
                f"{place}: {error}; fix the value, or set the scale it is on"
            ) from None

    def _in_range(self, text: str) -> str:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        low, high = self._range
        if not low <= number <= high:
            raise JuriesError(f"{text!r} is not on the scale {self}")
        return _text(number)

    def encode(self, value: float | str | None) -> float:
        """Return the number of a value of the scale, NaN for a missing one.

        Raises
        ------
        JuriesError
            If it is not on the scale.
        """
        known = self.value(value)
        if known is None:
            return math.nan
        return float(known) if self.kind == "interval" else self._by_level[known]

    def mirrored(self, value: str) -> str:
        """Return a preference as it reads with the two answers in each other's place.

        Raises
        ------
        JuriesError
            If the scale is no preference.
        """
        if self.kind != "preference":
            raise JuriesError(f"the scale {self} is not a preference, so it can't be turned round")
        return self.levels[len(self.levels) - 1 - self.levels.index(value)]

    def decode(self, code: float) -> str | None:
        """Return the value that a number stands for, None for NaN.

        Raises
        ------
        JuriesError
            If no value has this number.
        """
        if math.isnan(code):
            return None
        if self.kind == "interval":
            return self._in_range(_text(code))
        for level, number in self._by_level.items():
            if math.isclose(number, code, rel_tol=0, abs_tol=1e-12):
                return level
        raise JuriesError(f"{code:g} is the number of no level of the scale {self}")

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest code."""
        if self.kind == "interval":
            return self._range
        return min(self.codes), max(self.codes)

    def unit(self, codes: Any) -> Any:
        """Return codes as shares of the way from the lowest to the highest: 0 to 1.

        Parameters
        ----------
        codes : float or array of float
            Of any shape; NaN stays NaN.
        """
        if self.kind == "nominal":
            raise JuriesError(f"the scale {self} has no order, so its values have no place on it")
        low, high = self.ends
        return (codes - low) / (high - low)

    def at_least(self, codes: npt.NDArray[np.float64], threshold: float) -> npt.NDArray[np.float64]:
        """Return 1 where a code reaches a threshold and 0 where not, NaN where it is missing.

        The one rule by which a graded value becomes a yes or no: the same for judges, juries and
        humans.

        Raises
        ------
        JuriesError
            If the scale has no order, or the threshold is at or below its low end or above its
            high end: every value would then be on one side.
        """
        low, high = self.ends
        if self.kind == "nominal":
            raise JuriesError(f"threshold: the scale {self} has no order to cut")
        if not low < threshold <= high:
            raise JuriesError(
                f"threshold: {threshold:g} does not divide the scale {self}; set it above {low:g} "
                f"and not above {high:g}"
            )
        return np.where(np.isnan(codes), np.nan, (codes >= threshold).astype(float))


def fits(own: Scale, common: Scale) -> bool:
    """Return whether values of one scale can be taken as values of another without a threshold.

    A yes or no is a preference for the first or the second answer; whole levels are numbers of an
    interval with the same ends; categories are the same if their names are, in any order.
    """
    if own.kind == common.kind == "nominal":
        return {v.casefold() for v in own.values} == {v.casefold() for v in common.values}
    if common.kind == "preference":
        return own.kind in ("binary", "preference")
    if common.graded:
        return (
            own.graded
            and own.ends == common.ends
            and (own.kind == common.kind or common.kind == "interval")
        )
    return own.kind == common.kind


def recode(codes: npt.NDArray[np.float64], own: Scale, common: Scale) -> npt.NDArray[np.float64]:
    """Return codes of one scale as codes of another that it fits (see `fits`)."""
    if own.kind != "nominal" or own.levels == common.levels:
        return codes
    by_code = {
        code: common.encode(level) for level, code in zip(own.levels, own.codes, strict=True)
    }
    there = ~np.isnan(codes)
    found = np.full(codes.shape, np.nan)
    found[there] = [by_code[code] for code in codes[there]]
    return found


def common_scale(own: Mapping[str, Scale], labels: Scale | None, place: str) -> Scale:
    """Return the scale that voters share, so that they can be pooled and measured.

    Parameters
    ----------
    own : mapping of str to Scale
        Each voter's scale, by name.
    labels : Scale, optional
        Of the human labels; None where there are none.
    place : str
        What to name in an error.

    Returns
    -------
    Scale
        That of the labels if all voters' values are on it; else the voters' own, if it is one.

    Raises
    ------
    JuriesError
        If the voters are on scales that do not fit each other.
    """
    scales = [*own.values(), *([labels] if labels is not None else [])]
    if labels is not None and all(fits(scale, labels) for scale in own.values()):
        return labels
    for common in scales:
        if all(fits(scale, common) for scale in own.values()):
            return common
    groups: dict[str, list[str]] = {}
    for name, scale in sorted(own.items()):
        groups.setdefault(str(scale), []).append(name)
    said = "; ".join(f"{', '.join(names)}: {scale}" for scale, names in groups.items())
    raise JuriesError(
        f"{place}: its voters are on different scales ({said}); analyze those of one scale "
        "together, or set analysis.threshold to turn graded verdicts into yes or no"
    )


def _text(value: object) -> str:
    """Return a cell as text: whole numbers without a decimal point, booleans as true or false."""
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value)).lower()
    if isinstance(value, (float, np.floating)) and math.isfinite(value):
        return repr(int(value)) if value == int(value) else repr(float(value))
    return str(value)


def _number_as_text(text: str) -> str:
    """Return "4" for "4.0" and "04", the text itself where it is no number."""
    try:
        return _text(float(text))
    except ValueError:
        return text


def is_number(text: str) -> bool:
    """Return whether a cell reads as a number, infinite ones and NaN too."""
    try:
        float(text)
    except ValueError:
        return False
    return True
