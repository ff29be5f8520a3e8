r"""Find the verdicts that a reply announces.

One rule: a verdict counts where it is announced, and a reply has one if all that it announces is
the same. Announced are

- the verdict that a reply consists of or begins with, and the one that is its last line;
- what follows a word for a verdict, at the beginning of a line ("Score: 4", "**Verdict**" and the
  next line, "The final score is 4/5") or in the last sentence ("so my verdict is True"), the word
  with which the prompt ends among them;
- "Score 4" without a colon, where that is the whole line, and "This is False." where no other
  verdict word follows;
- the one of a pair that is better by the first sentence, or by the last after "so" or "therefore";
- what a table has in the column of such a word, if nothing else is announced;
- what stands in [[double brackets]], in \boxed{}, in a tag such as <answer>, and in the field of a
  JSON object that is called so.

Whole words are compared: INCORRECT is not CORRECT. A number off the scale, a number with a sign, a
range, and a negation are announcements too, of something that is no verdict, so they contradict
one. An enumeration of verdicts ("True or False") announces nothing, nor does a verdict that is
hedged ("True, unless ..."), quoted ("the answer says [[True]]") or of another scale ("4 (max 10)").
"""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

from ..errors import JuriesError
from ..scale import Scale

OTHER = ""
"""What is announced but is no verdict: a number off the scale, a negated word."""

NAMES = (
    "verdict", "score", "rating", "label", "grade", "judgment", "judgement", "decision",
    "preference", "choice", "winner", "mark", "correct", "evaluation", "assessment", "conclusion",
    "result", "classification", "answer", "overall", "final",
    "urteil", "bewertung", "note", "nota", "veredicto", "puntuación", "calificación", "вердикт",
    "оценка",
    "判定", "结论", "結論", "判断", "评分", "評分", "得分", "分数",
    "スコア", "評価", "판정", "평가", "점수", "النتيجة", "التقييم",
)  # fmt: skip
"""Words that announce a verdict: as a heading, before a colon, as a tag and as a field of JSON."""
_OF_WORDS = frozenset(("answer", "correct", "result", "conclusion", "final"))
"""Names before which a number may be something else than the verdict."""
_TOPS = frozenset(("max", "max score", "maximum", "maximum score", "max rating", "out of", "scale"))
_PARENTS = frozenset(
    ("evaluation", "assessment", "result", "response", "output", "judgment", "judgement", "verdict")
)
_OPENING = re.compile(r"[\s\"'“”‘’„«»「『（(\[{|$*_`]*")
_CLOSING = re.compile(r"[\"'”’»」』）)\]}|$*_`]*")
_FILLERS = (
    r"(?:(?:so|thus|hence|therefore|finally|overall|in (?:conclusion|summary|short)|and"
    r"|i(?:'d| would) say|here is|here's|my|the|our|your|final|total|own)"
    r"(?:[ \t]*[,:][ \t]*|[ \t]+))*"
)
_QUALIFIER = (
    r"(?:[ \t]*\([^()\n]{0,40}\)|[ \t]*\[[^\[\]\n]{1,20}(?:[-–/,]|\bto\b|\bor\b)[^\[\]\n]{1,20}\]"
    r"|[ \t]*/[ \t]*\d+|[ \t]+(?:out of|on a scale (?:of|from))[^:\n]{1,30})?"
)
_LINK = (
    r"[\"'”’\])]*(?:[ \t]*(?::|：|=|→|->|=>|\||—)"
    r"|[ \t]+(?:is|was|would be|should be|must be)\b[ \t]*[:：]?"
    r"|[ \t]+[-–](?=[ \t])|(?<=\])|(?=[ \t]*\n))"
)
_LINKING = re.compile(rf"{_QUALIFIER}{_LINK}\s*")
_BARE = frozenset(("score", "rating", "grade", "verdict"))
"""Names that announce what follows them without a colon, where nothing else is on the line."""
_BARE_END = re.compile(r"[ \t.!]*(?:\n|\Z)")
_THIS_IS = re.compile(
    r"(?:(?:this|that|the|it)\b(?: (?:given|provided|submitted|proposed|candidate|student|model)"
    r"(?:'s)?)?(?: (?:answer|response|statement|claim))? is|(?:it|that)'s)[ \t]+"
)
_ROW = re.compile(r"[ \t]*\|?(?P<cells>[^\n]*\|[^\n]*?)\|?[ \t]*\Z")
_RULED = re.compile(r"[ \t:|-]*-[ \t:|-]*\Z")
_ARTICLE = re.compile(r"(?:an?|clearly|therefore)[ \t]+")
_END = re.compile(
    r"\s*\Z|[ \t]*\n|[.,;:!]+(?=[\s}]|\Z|[^\x00-\x7f])|[。，；：！、]|…(?!\d)"
    r"|[ \t]+(?:[-–—](?!>)|[|(\[（])|—|（"
    r"|[ \t]+(?:because|since)\b"
)
_OTHER_END = re.compile(rf"{_END.pattern}|[ \t]+(?:and|or|to|if|with|without)\b")
_NEGATION = re.compile(r"(?:(?:not|never|non|neither|isn't|is not|no)\b[\s-]*|un(?=\w)|[¬!≠~]\s*)+")
_SIGN = re.compile(r"[-+−±~≈≃≠≤≥<>=^#∼]+\s*(?=[.\d])")
_NUMBER = re.compile(r"[-+−]?(?:\d+(?:[.,]\d+)*|\.\d+)")
_OUT_OF = re.compile(
    r"\s{0,9}(?:/|(?:points?|stars?|pts?\.?)?[\s,;(\[—–-]{0,9}(?:\b(?:out of|of|von|sur|de|su|из)\b"
    r"(?:\s+a\s+\w+(?:\s+of)?)?|\bmax(?:imum)?\b\.?:?(?:\s+of)?"
    r"|(?:\bon\s+a\s+)?\bscale:?\s+(?:(?:of|from)\s+)?\d+\s*(?:-|–|to)))\s*(\d+(?:\.\d+)?)"
)
_UNIT = re.compile(r"\s*(?:points?|stars?|pts)\b|\s?[⭐★]|\s?[分点點점](?!\w)")
_STARS = re.compile(r"\s*stars?\b|\s?[⭐★]")
_MOST_STARS = 10
_RANGE = re.compile(r"\s?[-–—~][\s]?[.\d]|[+*^²³½¼¾/]|\s{0,9}(?:\+|[(\[]?\s{0,9}±|to\s+\d|or\s+\d)")
_AND = re.compile(
    r"[\s,;:.!/|()\[\]\"'*–—-]*(?:(?:or|and|to|maybe|perhaps|possibly|but|then|also|even|nor|either"
    r"|vs|versus|through|rather|could|might|may|can|be|if|otherwise|it's|it is)\b[\s,;:.(]*)*"
)
# After a verdict: what makes it less than that verdict.
_HEDGED = re.compile(
    r"[\s,;:(\[–—-]*(?:but\s+)?(?:only\s+)?(?:partially|partly|in part|mostly|almost|nearly|unless"
    r"|except|assuming|provided that|if|at (?:most|least|best)|arguably|and a half|ish)\b"
)
_DENIED = re.compile(r"[ \t]*(?:[:=(\[–—-][ \t]*)+(?:no|not|wrong|incorrect|unlikely)[)\]]?")
_ASIDE = re.compile(r"\s*(?:\([^()\n]*\)|\[[^\[\]\n]*\]|,[^,\n]*,|—[^—\n]*—|–[^–\n]*–)")
_GOES_ON = re.compile(r"\s+(?:is|was|are|were|isn't|wasn't)\b")
_SHARE = re.compile(r"[ \t:=,(\[–—-]*\d*\.?\d+[ \t]*%?[)\]]?[\s,;|/]*")
_BULLET = re.compile(r"\s*(?:(?P<sign>[-–—>])[ \t]+|[•·*#]+[ \t]+)?")
_LISTED = re.compile(r"[.)][ \t]+\S")
_TAG = re.compile(r"<(/?)([^\W\d][\w-]{0,30})(?:\s[^<>]{0,200})?>")
_FORMATTING = frozenset(
    ("a", "b", "big", "center", "code", "em", "font", "i", "p", "pre", "small", "span", "strong")
)
_SIGNS = ("❌✖✗✘👎🔴🚫", "✅✔☑👍🟢")  # of a binary scale's levels
_FENCE = re.compile(r"^[ \t]*```+[ \t]*\w*[ \t]*$", re.MULTILINE)
_EMPHASIS = re.compile(r"(?<!\w)[*_`]+|[*_`]+(?!\w)")
_BRACE = re.compile(r"\{(?=\s{0,99}[\"}])")
_ALTERNATIVE = re.compile(r"[\s,;/\"'`]*(?:or|and)?[\s\"'`]*", re.I)
_BRACKETS = re.compile(r"\[\[([^\[\]\n]{1,60})\]\]")
_BOXES = re.compile(r"\\f?boxed\s*\{((?:[^{}\n]|\{[^{}\n]*\})*)\}")
_TEX = re.compile(r"\\(?:text\w*|math\w*|rm|bf)\b\s*|[{}$\\]")
# Before an announcement in running text: what makes it no announcement of the judge's verdict.
_UNSURE = re.compile(
    r"\b(?:if|unless|whether|would|could|might|may|had|were|not|never|cannot|example|format|please"
    r"|reference|expected|instead|says|said|claims|claimed|asks|states|writes|between|wanted"
    r"|tempted)\b|n't\b|\?"
)
# Before an announcement: what makes it someone else's words.
_QUOTING = re.compile(
    r"(?:\b(?:says|said|writes|wrote|contains|contained|includes|included|claims|claimed|quotes|injected"
    r"|ends with|begins with|tells me|told me|told|asks|asked|such as|for example|e\.g\.|example)"
    r"(?:[ \t]+(?:an?|the|this|to|for|me|reply|write|with|line|text|words?|instruction|json))*"
    r"|\A(?:the )?(?:expected|output|reply|response) format"
    r"|\b(?:student|candidate|user|quote|injection))[\s:,>\"'“‘`(-]*\Z"
)
_BEFORE_NAME = re.compile(
    r"(?:\A|[.,;:—–(]|\b(?:the|my|a|an|our|your|final|overall|total|this|its|that|as|so|and|is))"
    r"[ \t\"']*\Z"
)
_GIVES = re.compile(
    r"\b(?:give|gave|rate|rated|score|scored|award|assign|grade|mark)\s+"
    r"(?:(?:it|this|that|the|answer|response|reply|one|candidate|assistant|model)(?:'s)?\s+)+"
    r"(?:(?:a|an|the|as|with|score|rating|grade|mark|of|overall|final)\s+)*"
)
_INTRODUCTION = 80  # characters before an announcement that are looked at
_TURN = (
    r"(?:so|thus|therefore|hence|actually|wait|correction|instead|sorry|reflection|thought|otherwise"
    r"|rather|oops|mean|change|should|arguably)"
)
_RETRACTED = re.compile(
    r"\b(?:take (?:that|it) back|scratch that|disregard (?:that|this)|(?:this|that|my|the above)"
    r" (?:verdict|score|rating|grade|label|judge?ment) (?:is|was) (?:wrong|mistaken|incorrect))\b"
)
_SO = re.compile(r"\b(?:so|thus|hence|therefore)\b")
_CONCLUDED = re.compile(
    rf"{_SO.pattern}[,:;\s]*(?:(?:based on|considering|given)\b[^,\n]{{1,80}},\s*)?"
    r"(?:(?:it's|it|this|that|the|provided|given|answer|statement|claim|is|must be)\b[,:\s]*)*"
)
# After a verdict, a sentence that sets another against it: "But the date is wrong, so a 4."
_AGAINST = re.compile(
    r"(?:^|[.!?;]\s+|[—–(,]\s*)"
    r"(?:but|however|although|though|yet|hm+|no|nope|well|still|that said)\b"
    r"(?P<said>[^\n]{0,300}?)(?=\)?[.!?](?:\s|\Z)|\)?\s*(?:\n|\Z))",
    re.MULTILINE,
)
_TO = re.compile(
    r"(?:(?<!\d)[,:;—–-]\s*|\b(?:so|hence|thus|therefore)\b\s*)"
    r"(?:(?:so|hence|thus|therefore|it's|just|only|rather|maybe|more like|i'd say|say|my|the|final"
    r"|score|rating|verdict|a|an|is)\b\s*)*"
)
_PREFERRED = re.compile(
    r"[ \t]+(?:is|was|would be)[ \t]+(?:the[ \t]+)?(?:overall[ \t]+)?(?:slightly|significantly|much"
    r"|clearly)?[ \t]*(?:better|best|preferred|preferable|superior|stronger|winner)"
    r"(?:[ \t]+(?:one|output|answer|response|choice|option|assistant))?(?:[ \t]+overall)?"
    r"(?=[.!。]?\s*\Z|[.!](?:\s|\Z)|[ \t]*\n)|[ \t]+wins(?=[.!]?\s*\Z|[.!]\s|[ \t]*\n)"
)
"""After one of a pair, at the end of a sentence: it is the verdict."""
_SUPPOSED = re.compile(r"\b(?:if|unless|whether|says|said|claims|claimed|would|example)\b|\?")
MOST_READ = 1_000_000  # characters that are parsed as JSON, those read twice counted twice
MOST_OBJECTS = 1000  # of JSON, each with what stands before it; no reply to a prompt has so many


@dataclass(frozen=True)
class Announced:
    """Finds the verdicts that texts announce.

    Parameters
    ----------
    scale : Scale
        For numbers, and for what they are out of.
    words : mapping of str to str
        The value of each verdict word.
    name : str
        The word with which the prompt asks for the verdict, such as Score, "" for none; * stands
        for any words.
    opening : str
        How the prompt's template begins, such as Question: where a line begins so after the bare
        verdict, a base model has gone on with another example. "" for no such rule.
    """

    scale: Scale
    words: Mapping[str, str]
    name: str = ""
    opening: str = ""

    def verdict(self, text: str, *, cut: bool = False) -> str | None:
        """Return the one value that a text announces, None if there is not exactly one.

        Parameters
        ----------
        text : str
            Without reasoning.
        cut : bool
            Whether the length limit cut it: a number at its end may lack digits.
        """
        text = self._unsigned(readable(text))
        if self.opening:
            first, _, more = text.partition(f"\n{self.opening}")
            if more and self._word.fullmatch(folded(first).strip()):
                text = first
        bare = folded(text).rstrip(" \t\n\"'`*_.!”’。」』").lstrip(" \t\n\"'`*_“‘「『")
        if self._word.fullmatch(bare):
            return None if cut and self._may_go_on(bare) else self._by_word[_joined(bare)]
        found: set[str | None] = set()
        kept, at, quoted = [], 0, False
        for pairs, start, end in objects(text):
            if pairs is None:  # there is more than can be read
                return None
            # "asked for {...} or {...}": the second is quoted as the first is
            quoted = (quoted and bool(_ALTERNATIVE.fullmatch(text, at, start))) or _is_quoted(
                folded(text[max(0, start - _INTRODUCTION) : start])
            )
            if not quoted:
                found |= set(self._in_json(pairs))
            kept.append(text[at:start])
            at = end
        lines = folded("\n".join([*kept, text[at:]]))
        if "```" in lines:
            lines = _FENCE.sub("", lines)
        for box in [*_BRACKETS.finditer(lines), *_BOXES.finditer(lines)]:
            if not _is_quoted(lines, box.start()):
                found.add(self._whole(_TEX.sub("", box[1])))
        lines = _TAG.sub(self._tag, lines)
        if any(sign in lines for sign in "*_`"):
            lines = _EMPHASIS.sub("", lines)
        lines = "\n".join(line.rstrip(" \t") for line in lines.split("\n")).strip()
        found |= self._on_lines(lines, cut)
        found -= {None}
        if len(found) != 1:
            return None
        (value,) = found
        return None if not value or self._revised(lines, value) else value

    def _unsigned(self, text: str) -> str:
        """Drop the signs beside verdict words that say the same: "✅ True"."""
        if self.scale.kind == "binary" and any(sign in text for sign in "".join(_SIGNS)):
            for level, signs in zip(self.scale.levels, _SIGNS, strict=True):
                own = [word for word, value in self.words.items() if value == level]
                ways, sign = "|".join(map(re.escape, own)) or r"(?!)", rf"[{signs}]\ufe0f?"
                text = re.sub(
                    rf"(?:{sign}[ \t]*)?(?<!\w)({ways})(?!\w)(?:[ \t]*{sign})?",
                    r"\1",
                    text,
                    flags=re.I,
                )
        return text

    # What stands at one place

    @cached_property
    def _by_word(self) -> dict[str, str]:
        return {_joined(folded(readable(word))): value for word, value in self.words.items()}

    @cached_property
    def _word(self) -> re.Pattern[str]:
        spelled = sorted((folded(readable(word)) for word in self.words), key=len, reverse=True)
        ways = "|".join(map(_spaced, spelled)) or r"(?!)"
        return re.compile(rf"(?:{ways})(?![\w{marks()}]|-\w|[<>=])")

    @cached_property
    def _words(self) -> re.Pattern[str]:
        return re.compile(rf"(?<![\w{marks()}]){self._word.pattern}")

    @cached_property
    def _numbers(self) -> dict[float, str]:
        numbers = {}
        for word, value in self.words.items():
            if _NUMBER.fullmatch(word.strip()) and "," not in word:
                numbers[float(word.replace("−", "-"))] = value
        return numbers

    @property
    def _numeric(self) -> bool:
        return bool(self._numbers) or self.scale.kind == "interval"

    def _number(self, text: str) -> str:
        """Return the value of a number, OTHER if it is none of the scale."""
        if "," in text or text.count(".") > 1 or re.match(r"[-+−]?0\d", text):
            return OTHER
        if text.startswith("+") and min(self._numbers or self.scale.ends) >= 0:
            return OTHER
        number = float(text.replace("−", "-"))
        if not number and text[0] in "-−":
            return OTHER
        if self.scale.kind != "interval":
            return self._numbers.get(number, OTHER)
        try:
            return self.scale.value(number) or OTHER
        except JuriesError:
            return OTHER

    @property
    def _top(self) -> float | None:
        """What a score can be out of; None where scores are no numbers."""
        if not self.scale.graded or not self._numeric:
            return None
        return max(self._numbers) if self._numbers else self.scale.ends[1]

    def _at(self, text: str, at: int) -> tuple[str | None, int]:
        """Return what is said from a position on, and where it ends."""
        start = _after(_OPENING, text, at)
        negation = None if self._word.match(text, start) else _NEGATION.match(text, start)
        if negation:  # "not enough info" may be a verdict, "not True" is none
            value, end = self._plain_at(text, negation.end())
            return (None if value is None else OTHER), end
        return self._plain_at(text, start)

    def _plain_at(self, text: str, at: int) -> tuple[str | None, int]:
        start = _after(_OPENING, text, at)
        if word := self._word.match(text, start):
            value, end = self._by_word[_joined(word[0])], word.end()
            if not _NUMBER.fullmatch(word[0]):
                return value, _after(_CLOSING, text, end)
        if not self._numeric:
            return None, start
        if (sign := _SIGN.match(text, start)) and not _NUMBER.match(text, start):
            return OTHER, sign.end()
        number = _NUMBER.match(text, start)
        if number is None or (_inside(text, number.end()) and not _UNIT.match(text, number.end())):
            return None, start
        value = self._number(number[0])
        end = _after(_CLOSING, text, number.end())
        if out_of := _OUT_OF.match(text, end):
            if float(out_of[1]) != self._top or _inside(text, out_of.end()):
                return OTHER, out_of.end()
            unit = _UNIT.match(text, out_of.end())
            end = unit.end() if unit else out_of.end()
        elif text[end : end + 1] == "%":
            if self.scale.kind == "nominal" or (self._top, min(self.scale.ends)) != (100, 0):
                return OTHER, end
            end += 1
        elif _RANGE.match(text, end) or (
            _STARS.match(text, end) and self._top and self._top > _MOST_STARS
        ):
            return OTHER, end
        elif unit := _UNIT.match(text, end):
            end = unit.end()
        return value, _after(_CLOSING, text, end)

    def _said(self, text: str, at: int) -> tuple[str | None, int]:
        """Return what is said from a position on, None if it goes on as something else."""
        value, end = self._at(text, at)
        if not value:
            return value, end
        stop = _END.match(text, end)
        if stop is None:
            return None, end
        rest = text[end:].partition("\n")[0] if len(text) - end < 500 else text[end : end + 500]
        rest = rest.partition("\n")[0]
        denied = _DENIED.match(rest)
        positive = self.scale.kind != "binary" or value != self.scale.levels[0]
        if _HEDGED.match(rest) or (positive and denied and _END.match(rest, denied.end())):
            return None, end
        aside = _ASIDE.match(rest)
        if aside and _GOES_ON.match(rest, aside.end()):
            return None, end
        for at in (0, aside.end() if aside else 0):
            start = _after(_AND, rest, at)
            other, there = self._at(rest, start)
            told_apart = _NEGATION.match(rest, start) and not self._word.match(rest, start)
            if other not in (None, value) and not told_apart and _OTHER_END.match(rest, there):
                return None, end
        if (share := _SHARE.match(rest)) and not self._numeric:
            other, _ = self._at(rest, share.end())
            if other is not None and other != value:
                return None, end
        return value, end

    def _whole(self, text: str) -> str | None:
        """Return what a text says that is nothing but a verdict."""
        value, end = self._said(text, 0)
        return value if value is None or not text[end:].strip(" \t\r\n.!。") else None

    def _may_go_on(self, bare: str) -> bool:
        """Return whether a text that was cut may be the beginning of another verdict."""
        if self.scale.kind == "interval" and bare[-1:].isdigit():
            return True
        word = _joined(bare)
        return any(other != word and other.startswith(word) for other in self._by_word)

    # In JSON

    @cached_property
    def _names(self) -> tuple[str, ...]:
        own = folded(self.name).strip()
        return (own, *NAMES) if own and own not in NAMES else NAMES

    @cached_property
    def _fields(self) -> dict[str, int]:
        """The names of fields and their rank; the prompt's own word is before all others."""
        own = folded(self.name).strip()
        ranks = {name: 2 for name in NAMES if name not in ("correct", "answer")}
        return ranks | {"answer": 3, "verdict": 1} | ({own: 0} if own else {})

    def _in_json(self, pairs: list[tuple[str, Any]]) -> Iterator[str]:
        said: list[tuple[int, str]] = []
        for key, value in pairs:
            name = _plain_name(key)
            if name in _TOPS and isinstance(value, int | float) and value != self._top:
                yield OTHER
            if isinstance(value, _Object):
                if name in _PARENTS:
                    yield from self._in_json(value.pairs)
            elif name in self._fields and isinstance(value, str | int | float):
                read = self._whole(folded(readable(str(value))))
                if read is not None:
                    said.append((self._fields[name], read))
        first = min((rank for rank, _ in said), default=0)
        # An unreadable field of a lower rank, such as a confidence, contradicts nothing.
        yield from {read for rank, read in said if read or rank == first}

    # On lines

    def _tag(self, tag: re.Match[str]) -> str:
        name = _plain_name(tag[2])
        if name in _FORMATTING:
            return ""
        if not tag[1] and _is_quoted(tag.string, tag.start()):
            return " "
        if tag[1]:
            return "\n"
        announces = name in self._names or name in ("final", "output", "response")
        return "\nverdict:\n" if announces else f"\n{name}:\n"

    @property
    def _any_name(self) -> str:
        ways = map(re.escape, sorted(self._names, key=len, reverse=True))
        return "|".join(way.replace(r"\*", r"[^:\n]{1,60}?") for way in ways)

    @cached_property
    def _announcing(self) -> re.Pattern[str]:
        names = self._any_name
        return re.compile(
            rf"^[ \t>#|•·\"'{{(\[–-]*(?:\d{{1,2}}[.)][ \t]+)?(?P<before>{_FILLERS})"
            rf"(?P<name>{names})(?![\w{marks()}])",
            re.MULTILINE,
        )

    @cached_property
    def _named(self) -> re.Pattern[str]:
        names = self._any_name
        return re.compile(rf"(?<![\w-])(?P<name>{names})(?![\w{marks()}])")

    def _on_lines(self, text: str, cut: bool) -> set[str | None]:
        found: set[str | None] = set()

        def add(value: str | None, end: int, *, whole: bool = False) -> None:
            last = text[-20:].rstrip(".")
            goes_on = self._may_go_on(last) if whole else last[-1:].isdigit()
            if value is not None and not (cut and end >= len(text) - 1 and goes_on):
                found.add(value)

        value, end = self._begun(text, 0)
        add(value, end, whole=True)
        for heading in self._announcing.finditer(text):
            link = _LINKING.match(text, heading.end())
            if link is None:
                if heading["name"] in _BARE and not _is_quoted(text, heading.start()):
                    value, end = self._at(text, heading.end())
                    add(value if _BARE_END.match(text, end) else None, end)
                continue
            value, end = self._linked(text, link)
            if value and "\n" in link[0] and self._is_listed(text, end):
                continue
            number = value is not None and text[end - 1 : end].isdigit()
            if number and not self._for_numbers(heading, link[0]):
                continue
            if not _is_quoted(text, heading.start()):
                add(value, end)
        lines = text.splitlines()
        filled = [line for line in lines if line.strip()]
        if len(filled) > 1 and self._may_precede(filled[-2]):
            value, _ = self._begun(filled[-1], 0)
            if value is not None and self._whole(_BULLET.sub("", filled[-1], count=1)) is not None:
                add(value, len(text))
        if filled:
            add(self._last_sentence(text, filled[-1]), len(text))
        add(self._this_is(text), len(text))
        add(*self._preferred(text, 0))
        if not found - {None} and "|" in text:
            found |= self._in_tables(lines)
        return found

    def _preferred(self, text: str, at: int) -> tuple[str | None, int]:
        """Return the one of a pair that is said to be better from a position on, and the end."""
        value, end = (None, at) if self._numeric else self._at(text, at)
        better = _PREFERRED.match(text, end) if value else None
        return (value, better.end()) if better else (None, at)

    def _this_is(self, text: str) -> str | None:
        """Return what a reply says that begins "This is False." and names no other verdict."""
        begun = None if self._numeric else _THIS_IS.match(text)
        if begun is None:
            return None
        value, end = self._said(text, begun.end())
        others = {self._by_word[_joined(word[0])] for word in self._words.finditer(text, end)}
        contrary = re.search(r"\b(?:but|however|although|though|except|yet|not)\b", text[end:])
        return None if contrary or others - {value} else value

    def _in_tables(self, lines: list[str]) -> set[str | None]:
        """Return what tables have in the columns of names that announce a verdict."""
        found: set[str | None] = set()
        columns: list[int] = []
        for above, line, below in zip(["", *lines], lines, [*lines[1:], ""], strict=False):
            row = _ROW.match(line)
            if row is None:
                columns = []
            elif not columns and _RULED.match(below) and not _is_quoted(f"{above}\n"):
                columns = [
                    n
                    for n, name in enumerate(row["cells"].split("|"))
                    if (plain := _plain_name(name.strip())) in self._names
                    and (plain not in _OF_WORDS or plain == folded(self.name).strip())
                ]
            elif not _RULED.match(line):
                cells = dict(enumerate(row["cells"].split("|")))
                found |= {self._whole(cells.get(n, "").strip()) or OTHER for n in columns}
        return found

    def _for_numbers(self, heading: re.Match[str], link: str) -> bool:
        """Return whether a name announces a number: "answer" may be the judged one's."""
        name = heading["name"]
        if name not in _OF_WORDS or folded(self.name).strip() == name:
            return True
        return name == "answer" and "final" in heading["before"] and "is" not in link

    def _linked(self, text: str, link: re.Match[str]) -> tuple[str | None, int]:
        """Return what follows a name and its link; of another scale ("(1-10):") it is OTHER."""
        value, end = self._said(text, link.end())
        if value is None and (article := _ARTICLE.match(text, link.end())):
            value, end = self._said(text, article.end())
        if value and self._top is not None and re.search(r"[\d%]", link[0]):
            tops = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", link[0])]
            if ("%" in link[0] and self._top != 100) or (tops and max(tops) != self._top):
                return OTHER, end
        return value, end

    def _begun(self, text: str, at: int) -> tuple[str | None, int]:
        """Return the verdict that a text begins with."""
        bullet = _BULLET.match(text, at)
        assert bullet is not None  # noqa: S101 - all of it is optional
        value, end = self._said(text, bullet.end())
        if value is None or value == OTHER:
            return value, end
        word = text[bullet.end() : end]
        if (bullet["sign"] and any(map(str.isdigit, word))) or self._is_listed(text, end):
            return None, end
        share = _SHARE.match(text, end)
        if share and text[end : end + 2].strip() and _ends(text, share.end()):
            return None, end
        return value, end

    def _is_listed(self, text: str, end: int) -> bool:
        """Return whether a number or a letter is that of a list's item: "1. The answer ..."."""
        start = max(text.rfind("\n", 0, end), 0)
        word = text[start:end].strip(" \t\n\"'*_([")
        if word.isdigit() and (sign := re.match(r"[ \t]*([.):(、–—-])", text[end : end + 9])):
            # another item of the same list: "1 - Correct" and "2 - Clear"
            following = rf"^[ \t>*#(\[]*{int(word) + 1}[)\]*]*[ \t]*{re.escape(sign[1])}"
            if re.search(following, text[end:], re.MULTILINE):
                return True
        return (len(word) == 1 or word.isdigit()) and bool(
            _LISTED.match(text, end)
            or (len(word) == 1 and not word.isdigit() and text[end : end + 2] == ": ")
        )

    def _may_precede(self, line: str) -> bool:
        """Return whether the line before the last lets it be a verdict: no other heading."""
        stripped = line.strip().rstrip("\"'")
        if not stripped.endswith((":", "：")):
            return True
        words = re.findall(r"[\w']+", stripped)
        if not words or words[-1] not in self._names or _UNSURE.search(line):
            return False
        return words[-1] != "answer" or words[-2:-1] in ([], ["my"], ["final"])

    def _last_sentence(self, text: str, line: str) -> str | None:
        """Return what the last sentence of a reply announces in running words."""
        value = None
        sentence = re.split(r"[.!?。](?=\s)", line[-1000:].rstrip(" .!。\"'"))[-1]
        at = len(text) - len(line) + line.rfind(sentence)
        for name in self._named.finditer(sentence):
            before = sentence[: name.start()]
            link = _LINKING.match(sentence, name.end()) or re.compile(r"\s+of\s+").match(
                sentence, name.end()
            )
            if (
                link is None
                or _UNSURE.search(_SO.split(before)[-1])
                or not _BEFORE_NAME.search(before)
                or _is_quoted(text, at + name.start())
            ):
                continue
            said, end = self._linked(sentence, link)
            number = said is not None and sentence[end - 1 : end].isdigit()
            if number and name["name"] in _OF_WORDS and folded(self.name).strip() != name["name"]:
                continue
            value = said if said is not None else value
        if given := _GIVES.search(sentence):
            said, _ = self._said(sentence, given.end())
            if said is not None and not _UNSURE.search(
                re.sub(r"\bwould\b", "", sentence[: given.start()])
            ):
                value = said if value in (None, said) else OTHER
        concluded = None if self._numeric else _CONCLUDED.search(sentence)
        if concluded and not _SUPPOSED.search(sentence[: concluded.start()]):
            said = self._whole(sentence[concluded.end() :])
            if said is None:
                said, end = self._preferred(sentence, concluded.end())
                said = said if not sentence[end:].strip() else None
            if said is not None:
                value = said if value in (None, said) else OTHER
        return value

    def _revised(self, text: str, value: str) -> bool:
        """Return whether the text takes a verdict back, or leads to another ("actually ...")."""
        if _RETRACTED.search(text):
            return True
        for turn in self._turning.finditer(text):
            said, end = self._at(text, turn.end())
            if said is not None and said != value and _END.match(text, end):
                return True
        return self._last_word(text, value) or self._set_against(text, value)

    def _set_against(self, text: str, value: str) -> bool:
        """Return whether a sentence with "but" or the like ends with another verdict."""
        for sentence in _AGAINST.finditer(text):
            for to in _TO.finditer(text, sentence.start("said"), sentence.end()):
                said, end = self._at(text, to.end())
                if said not in (None, value) and end >= sentence.end():
                    return True
        return False

    @cached_property
    def _turning(self) -> re.Pattern[str]:
        return re.compile(
            rf"\b{_TURN}\b[,:;—–\s]*(?:(?:i|it|it's|this|that|is|was|be|must|the|my|answer|verdict"
            rf"|score|say|no|now|change|to|should|misread)\b[,:;.\s]*){{0,5}}"
        )

    def _last_word(self, text: str, value: str) -> bool:
        """Return whether a one-word last sentence is another verdict."""
        sentence = re.split(r"[.!?,;:。\n]\s|\n", text[-1000:].rstrip(" .!。\"')"))[-1]
        return (
            len(sentence.strip()) > 1
            and not any(map(str.isdigit, sentence))
            and (self._whole(sentence) not in (None, OTHER, value))
        )


def _is_quoted(text: str, at: int | None = None) -> bool:
    """Return whether what follows a text, or stands at a position, are someone else's words."""
    at = len(text) if at is None else at
    before = text[max(0, at - _INTRODUCTION) : at].rstrip(" \t>*_`\"'")
    line, ended = before.rstrip().rpartition("\n")[2].lstrip(), before.endswith("\n")
    if ended and not line.rstrip("*_`").endswith((":", "：", "with", "line")):
        return False
    return bool(_QUOTING.search(line))


def _after(optional: re.Pattern[str], text: str, at: int) -> int:
    """Return the position after what a pattern matches, which may be nothing."""
    found = optional.match(text, at)
    return found.end() if found else at


def _inside(text: str, at: int) -> bool:
    """Return whether a word goes on at a position."""
    character = text[at : at + 1]
    return (
        character.isalnum() or character == "_" or unicodedata.category(character or " ")[0] == "M"
    )


def _ends(text: str, at: int) -> bool:
    return at >= len(text) or text[at - 1] in "\n,;|" or text[at] in "\n.,;|)"


def _plain_name(name: str) -> str:
    """Return the name of a field or a tag without what only qualifies it: finalVerdict."""
    words = name if name.islower() else re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = words.casefold().replace("_", " ").replace("-", " ")
    left = [w for w in words.split() if w not in ("final", "overall", "my", "the", "total")]
    return " ".join(left) or words.strip()


def _joined(text: str) -> str:
    return "".join(text.split())


def _spaced(word: str) -> str:
    """Return a pattern of a word; signs in it may have spaces around them."""
    parts = re.findall(r"\s+|[^\W]+|[^\w\s]+", word)
    between = [r"\s+" if part.isspace() else re.escape(part) for part in parts]
    return "".join(
        piece
        if r"\s" in piece or piece.isalnum() or not set(part) & set("<>=")
        else rf"\s*{piece}\s*"
        for piece, part in zip(between, parts, strict=True)
    )


@functools.cache
def marks() -> str:
    r"""Return the combining marks as a character class: they are parts of words, unlike in \w."""
    marked = [n for n in range(0x300, 0xFFFF) if unicodedata.category(chr(n))[0] == "M"]
    runs = [list(run) for _, run in groupby(enumerate(marked), lambda pair: pair[1] - pair[0])]
    return "".join(rf"{chr(run[0][1])}-{chr(run[-1][1])}" for run in runs)


class _Plain(dict[int, str | None]):
    """Characters as the plain ones they look like: full-width forms, digits, bold letters."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        category = unicodedata.category(character)
        if category == "Cf" and character != "\u200d":  # zero-width characters
            plain: str | None = None
        elif category == "Nd":
            plain = str(unicodedata.decimal(character))
        elif 0xFF01 <= code <= 0xFF5E or category in ("Lu", "Ll"):
            plain = unicodedata.normalize("NFKC", character)
        else:
            plain = " " if category == "Zs" else character
        self[code] = plain
        return plain


_PLAIN = _Plain()


def readable(text: str) -> str:
    """Return a text in plain characters: full-width and styled ones as what they look like."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text.replace("&gt;", ">").replace("&lt;", "<").replace("&quot;", '"')
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", text.translate(_PLAIN).replace("\u2028", "\n"))


def folded(text: str) -> str:
    """Return a text without the difference of cases."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text.casefold())


@dataclass(frozen=True)
class _Object:
    pairs: list[tuple[str, Any]]


def objects(text: str) -> Iterator[tuple[list[tuple[str, Any]] | None, int, int]]:
    """Yield the JSON objects in a text, as pairs of key and value, with their places.

    A key may occur twice. After `MOST_READ` characters without an end to it, or `MOST_OBJECTS`,
    None.
    """
    decoder = json.JSONDecoder(object_pairs_hook=_Object)
    left, met, start = MOST_READ, 0, _BRACE.search(text)
    while start:
        at = start.start()
        if left <= 0 or met == MOST_OBJECTS:
            yield None, at, len(text)
            return
        try:
            found, end = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            left -= error.pos - at + error.pos // 16 + 100  # an error counts the lines before it
            end = at + 1
        except (ValueError, RecursionError):
            left -= 10_000 + at // 16
            end = at + 1
        else:
            met += 1
            yield found.pairs, at, end
        start = _BRACE.search(text, end)
