"""Tokens that are matched in a text before it is split, with the flags of Hugging Face's files."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from bpetok.base.checks import check_bool, check_index, listed, shorten
from bpetok.base.records import NamedTuple
from bpetok.patterns.special import SpecialTokens

FLAGS = ("special", "lstrip", "rstrip", "single_word", "normalized")
# White_Space of Unicode, as tokenizers understands it: str.isspace takes U+001C to U+001F, too.
_SPACES = frozenset("\t\n\v\f\r \x85\u00a0\u1680\u2028\u2029\u202f\u205f\u3000") | {
    chr(code) for code in range(0x2000, 0x200B)
}


class AddedToken(NamedTuple):
    """A token that is matched in a text before it is split, as in tokenizer.json.

    Attributes
    ----------
    content : str
    id : int
    special : bool
        Whether ``decode(skip_special_tokens=True)`` leaves it out.
    lstrip, rstrip : bool
        Whether white space before or after it is a part of it.
    single_word : bool
        Whether it is only matched where no letter, number or the like is next to it.
    normalized : bool
        Whether it is searched for in what is left when all others have been found, and when that
        has been normalized.
    """

    content: str
    id: int
    special: bool = True
    lstrip: bool = False
    rstrip: bool = False
    single_word: bool = False
    normalized: bool = False


def left_in_texts(
    tokens: Collection[AddedToken], normalize: Callable[[bytes], bytes] | None
) -> set[str]:
    """Return the contents that a text may hold where no token is found, so that they are split.

    That is inside of another word (`single_word`), or where the search has gone on behind a token
    that was inside of one; and where a normalizer makes a content after it was searched for, or in
    place of what is searched for then.
    """
    searched = {
        token: normalize(token.content.encode()).decode()
        if normalize is not None and token.normalized
        else token.content
        for token in tokens
    }
    passed = {
        normalized: {
            content
            for token, content in searched.items()
            if token.single_word and token.normalized == normalized
        }
        for normalized in (False, True)
    }
    left = set()
    for token, content in searched.items():
        made = normalize is not None and (
            not token.normalized or not content or content not in token.content
        )
        if token.single_word or made or _begins_within(content, passed[token.normalized]):
            left.add(token.content)
    return left


def _begins_within(content: str, others: Collection[str]) -> bool:
    # Such as "<s>" in "a<s>b", or behind the first character of "a<".
    return any(
        content in other or any(content.startswith(other[i:]) for i in range(1, len(other)))
        for other in others
    )


def check_added_tokens(
    added_tokens: Iterable[AddedToken], special_tokens: Mapping[str, int]
) -> dict[str, AddedToken]:
    """Return all special tokens with their flags, which are the defaults unless given.

    Raises
    ------
    TypeError, ValueError
        If one is no AddedToken, has flags that are not bool, is not among the special tokens with
        its id, or is given twice.
    """
    given: dict[str, AddedToken] = {}
    listed_tokens = listed("added_tokens", added_tokens, "a list of AddedToken", in_order=False)
    for i, token in enumerate(listed_tokens):
        if not isinstance(token, AddedToken):
            raise TypeError(f"added_tokens[{i}] must be an AddedToken, got {shorten(token)}")
        for flag in FLAGS:
            check_bool(f"added_tokens[{i}].{flag}", getattr(token, flag))
        if not isinstance(token.content, str):
            raise TypeError(f"added_tokens[{i}].content must be a str, got {shorten(token)}")
        token_id = check_index(f"added_tokens[{i}].id", token.id)
        if special_tokens.get(token.content) != token.id:
            raise ValueError(
                f"added_tokens[{i}] must be among special_tokens with its id {token.id}, "
                f"got {shorten(token.content)}"
            )
        if token.content in given:
            raise ValueError(f"added_tokens[{i}] is {shorten(token.content)}, given already")
        given[token.content] = token._replace(id=token_id)
    return {
        name: given.get(name, AddedToken(name, token_id))
        for name, token_id in special_tokens.items()
    }


def finder_of(tokens: Sequence[AddedToken]) -> AddedTokenFinder | None:
    """Return what finds the tokens, None if a search for them as they are finds the same."""
    plain = not any(token.lstrip or token.rstrip or token.single_word for token in tokens)
    if plain and len({token.normalized for token in tokens}) < 2:
        return None
    return AddedTokenFinder(tokens)


def inner_finder_of(
    tokens: Sequence[AddedToken], normalize: Callable[[bytes], bytes]
) -> AddedTokenFinder | None:
    """Return what finds tokens in a text that is normalized, as their contents are; None if none.

    A token whose content is nothing when it is normalized is never found. Of those with one content
    then, a special one is found, and of several the one with the least id: as in tokenizers up to
    0.22. Later releases draw one whenever a file is loaded.
    """
    found: dict[str, AddedToken] = {}
    for token in sorted(tokens, key=lambda token: (not token.special, token.id)):
        content = normalize(token.content.encode()).decode()
        if content:
            found.setdefault(content, token._replace(content=content))
    return AddedTokenFinder([*found.values()]) if found else None


class AddedTokenFinder:
    """Finds added tokens where tokenizers finds them (its `AddedVocabulary`).

    Those that are not `normalized` are searched for first, the others in what is left. What one
    takes of the white space around it, the next one can't take; but a token in that is found again,
    and what follows it is taken as text once more.
    """

    def __init__(self, tokens: Sequence[AddedToken]) -> None:
        groups = [
            {token.content.encode(): token for token in tokens if token.normalized == normalized}
            for normalized in (False, True)
        ]
        self._groups = [(SpecialTokens(group), group) for group in groups if group]

    def contents(self) -> SpecialTokens:
        """Return what a text must hold for any token to be found."""
        return SpecialTokens(content for _, group in self._groups for content in group)

    def __call__(self, data: bytes) -> array[int]:
        """Return start, end (in bytes) and id of each token in a text, in order, in one array.

        A token may begin before the one before it ends: see the class.
        """
        text = data.decode()
        parts: list[tuple[int, int, int]] = [(0, len(text), -1)]
        for tokens, by_content in self._groups:
            before, parts = parts, []
            for begin, end, token_id in before:
                if token_id >= 0:
                    parts.append((begin, end, token_id))
                    continue
                found = _find(text[begin:end], tokens, by_content)
                parts += [(begin + start, begin + stop, new_id) for start, stop, new_id in found]
        spans = array("q")
        at_character = at_byte = 0
        for start, stop, token_id in parts:
            begin = at_byte + len(text[at_character:start].encode())
            begin -= len(text[start:at_character].encode())
            at_byte = begin + len(text[start:stop].encode())
            at_character = stop
            if token_id >= 0:
                spans.extend((begin, at_byte, token_id))
        return spans


def _find(
    text: str, tokens: SpecialTokens, by_content: Mapping[bytes, AddedToken]
) -> list[tuple[int, int, int]]:
    # Cut a text into (start, end, id of the token or -1), in characters.
    data = text.encode()
    parts: list[tuple[int, int, int]] = []
    done = at_byte = at_character = 0
    for first, last in tokens.spans(data):
        token = by_content[data[first:last]]
        start = at_character + len(data[at_byte:first].decode())
        stop = start + len(token.content)
        at_byte, at_character = last, stop
        beside = text[max(0, start - 1) : start], text[stop : stop + 1]
        if token.single_word and any(map(_is_word, beside)):
            continue
        while token.lstrip and start > done and text[start - 1] in _SPACES:
            start -= 1
        if token.lstrip:
            start = max(start, done)
        while token.rstrip and stop < len(text) and text[stop] in _SPACES:
            stop += 1
        if start >= stop:
            continue  # all of it is white space that the token before has taken
        if done < start:
            parts.append((done, start, -1))
        done = stop
        parts.append((start, stop, token.id))
    if done < len(text):
        parts.append((done, len(text), -1))
    return parts


def _is_word(character: str) -> bool:
    import regex  # takes 20 ms, and few tokens need it

    return regex.match(r"\w", character) is not None
