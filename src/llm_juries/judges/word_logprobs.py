"""Probabilities of whole verdict words, where a word is longer than one token.

"A>>B", "A>B" and "A=B" begin alike, so the first token of a reply does not tell them apart. The
chain rule does: the probability that a model writes a word is the product of its tokens'
probabilities, each given those before it. A `Walk` requests the likeliest next tokens after each
likely beginning of a word, and sums over all ways to split a word into tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def verdict_logprobs(
    tokens: Iterable[tuple[str, float]], choices: Sequence[str]
) -> dict[str, float]:
    """Return the log-probability of each verdict word among a reply's likeliest first tokens.

    A token stands for a word if it equals the word, except for surrounding white space and case;
    the probabilities of several (" True", "true") add up. Where a likely token begins a word that
    is not a token itself ("In" of "Incorrect"), nothing is returned and the text is read instead:
    otherwise the other word would be the only one with a probability.
    """
    tokens = list(tokens)
    if spelled_out(choices, tokens):
        return {}
    words = {word.strip().casefold(): word for word in choices}
    found: dict[str, list[float]] = {}
    for token, logprob in tokens:
        word = words.get(token.strip().casefold())
        if word is not None and logprob > -math.inf:
            found.setdefault(word, []).append(logprob)
    return {word: min(_log_sum(lps), 0.0) for word, lps in found.items()}


def label_mass(tokens: Iterable[tuple[str, float]], choices: Sequence[str]) -> float | None:
    """Return the probability of all verdict words together among a reply's likeliest first tokens.

    Spellings (" True", "true") add up. None where a word is longer than a token (see
    `verdict_logprobs`) or no verdict word is among them.
    """
    found = verdict_logprobs(tokens, choices)
    return min(sum(map(math.exp, found.values())), 1.0) if found else None


UNLIKELY = 1e-3  # beginnings less likely than this, relative to the likeliest, are not followed


def begin_alike(words: Sequence[str]) -> bool:
    """Return whether two of some words have the same first letter or sign.

    Then a first token may not tell them apart. It depends on the words alone, so that keys do not
    depend on a model's tokens.
    """
    return len({word[:1] for word in words}) < len(words)


def spelled_out(words: Sequence[str], tokens: Iterable[tuple[str, float]]) -> bool:
    """Return whether a likely first token begins a verdict word that is not a token itself.

    "Incorrect" can be two tokens: then "Correct" would be the only word with a probability. White
    space that is likelier than every verdict word begins one, too.

    Parameters
    ----------
    words : sequence of str
    tokens : iterable of (str, float)
        The likeliest first tokens of a reply with their natural log-probabilities.
    """
    tokens = list(tokens)
    whole = {token.strip().casefold() for token, _ in tokens}
    missing = [word for word in words if word.strip().casefold() not in whole]
    known = {word.strip().casefold() for word in words}
    said = [lp for token, lp in tokens if token.strip().casefold() in known]
    blank = [lp for token, lp in tokens if token.isspace()]
    if blank and max(blank) > max(said, default=-math.inf):
        return True  # " 5" can be two tokens, and what follows the space is not known yet
    walk = Walk(words)
    walk.add("", ((token, lp) for token, lp in tokens if not token.isspace()))
    return any(
        word.strip().startswith(begun.lstrip()) for begun in walk.pending() for word in missing
    )


class Walk:
    """A search for the probabilities of whole verdict words, token by token.

    Request the next tokens after each of the texts that `pending` returns, `add` them, and repeat
    until none is pending; `logprobs` then returns the words' probabilities. White space before a
    word is ignored; a word counts whatever follows it, unless that makes it another word.

    Parameters
    ----------
    words : sequence of str
        No two of them differ only in surrounding white space.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = {word.strip(): word for word in words}
        self._after: dict[str, dict[str, float]] = {}  # of each text, its next tokens' logprobs

    def pending(self) -> list[str]:
        """Return the texts whose next tokens are needed, the likeliest first; "" at the start."""
        if not self._after:
            return [""]
        reach = self._reach()
        likeliest = max((lp for text, lp in reach.items() if text), default=-math.inf)
        least = likeliest + math.log(UNLIKELY)
        wanted = [
            text
            for text, lp in reach.items()
            if lp >= least and text not in self._after and self._goes_on(text)
        ]
        return sorted(wanted, key=lambda text: (-reach[text], text))

    def add(self, text: str, tokens: Iterable[tuple[str, float]]) -> None:
        """Add the likeliest tokens after a text, each with its natural log-probability."""
        after: dict[str, float] = {}
        for token, logprob in tokens:
            whole = (text + token).lstrip()
            ends = whole.rstrip() in self.words and whole.strip() != text.strip()
            blank = not text and token.isspace()  # before the word, in a token of its own
            if blank or (token and whole and (ends or self._goes_on(whole))):  # some have no text
                after[token] = max(logprob, after.get(token, -math.inf))
        self._after[text] = after

    def logprobs(self) -> dict[str, float]:
        """Return the log-probability of each word that was found."""
        found: dict[str, list[float]] = {}
        for text, lp in self._reach().items():
            word = self.words.get(text.strip())
            if word is not None:
                longer = sum(math.exp(more) for more in self._after.get(text, {}).values())
                if longer < 1:
                    found.setdefault(word, []).append(lp + math.log1p(-longer))
        return {word: _log_sum(lps) for word, lps in sorted(found.items())}

    def _goes_on(self, text: str) -> bool:
        """Return whether a text begins a word without being all of it."""
        start = text.lstrip()
        return any(word.startswith(start) and word != start for word in self.words)

    def _reach(self) -> dict[str, float]:
        """Return the log-probability that the reply begins with each text reached so far."""
        parts: dict[str, list[float]] = {"": [0.0]}
        met: dict[str, float] = {}
        while parts:  # tokens only lengthen a text, so nothing is added to the shortest any more
            text = min(parts, key=lambda text: (len(text), text))
            met[text] = _log_sum(parts.pop(text))
            for token, lp in self._after.get(text, {}).items():
                parts.setdefault(text + token, []).append(met[text] + lp)
        return met


def _log_sum(logs: Sequence[float]) -> float:
    most = max(logs)
    return most + math.log(sum(math.exp(log - most) for log in logs)) if most > -math.inf else most
