"""What a writer makes of a tokenizer must give the same ids: texts to try, and what can't."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from bpetok.base.checks import shorten
from bpetok.base.limits import N_BYTES
from bpetok.encoding.codec import Codec
from bpetok.formats.parts import Parts
from bpetok.formats.recovery import from_ranks

_PIECES = (
    *("the", " The", " of", "It's", "we'll", "I'VE", "don't", "they're", "'tis", "''s", "’s", "'"),
    *("naïve", " Größe", "ſtraße", "Привет", " мир", "ελληνικά", "مرحبا", "नमस्ते", "ภาษาไทย"),
    *("你好世界", "。", "こんにちは", "안녕하세요", "𠮷", "e\u0301", "\u0301", "\u200d", "\ufeff"),
    *("👩🏽‍💻", "🎉🎉", "🇩🇪", "❤\ufe0f", "12", " 345678", "½", "Ⅷ", "²", "٣", "𝟗", "3.14", "1,000"),
    *(" ", "  ", "   ", " " * 17, "\n", "\n\n", " \n ", "\r\n", "\t", "\t\t", "\u00a0", "\u3000"),
    *("\u2028", "\x85", "\x1c", "\0", "\x7f", "!", "...", " ?!", "--", "——", "$x_1", "@#", "://"),
    *(
        "def f(x):\n    return x**2\n",
        "if (a != b) {\n\t\tx += 1;\n\t}\n",
        "<div class='a'>",
        "\\n",
    ),
    *("aaaa", "a" * 33, "=" * 40, "xyzzyx", "ZZZ", " ÀÉ", "ǅ", "ﬁ", "\u2126", "Ω", "\U0010ffff"),
)
N_TEXTS = 3000


@cache
def awkward_texts(special_tokens: tuple[str, ...]) -> list[str]:
    """Return about three thousand texts, some of them with special tokens: always the same."""
    import random  # takes 3 MB, with the libraries that it loads

    pieces = (*_PIECES, *special_tokens[:40])
    choose = random.Random(0)  # the same texts at all times
    texts = ["", *_PIECES, *special_tokens]
    while len(texts) < N_TEXTS:
        texts.append("".join(choose.choices(pieces, k=choose.randint(2, 12))))
    return texts


def check_ids_equal(
    tokenizer: Codec,
    encode: Callable[[str], Sequence[int]],
    consumer: str,
    *,
    special: bool = True,
) -> None:
    """Compare the ids of about three thousand awkward texts with those that `consumer` gives.

    Parameters
    ----------
    special : bool
        Whether `encode` gives special tokens their ids; otherwise they are text like any other.

    Raises
    ------
    ValueError
        If they differ anywhere: the text, and both lists of ids. Or if `encode` fails.
    """
    for text in awkward_texts(tuple(tokenizer.special_tokens)):
        ours = tokenizer.encode(
            text, allowed_special="all" if special else (), disallowed_special=()
        )
        try:
            with panics_are_errors():
                theirs = list(encode(text))
        except Exception as error:
            raise ValueError(
                f"{consumer} can't encode {text!r}: {error}; nothing was written"
            ) from None
        if ours != theirs:
            raise ValueError(
                f"{consumer} gives other ids than this tokenizer for {text!r}: {shorten(theirs)} "
                f"in place of {shorten(ours)}; nothing was written"
            )


@contextmanager
def panics_are_errors() -> Iterator[None]:
    """Raise a RuntimeError for what Rust calls a panic, which is no Exception in Python."""
    try:
        yield
    except (Exception, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        raise RuntimeError(f"{type(error).__name__}: {error}") from None


def encoder_of(parts: Parts) -> Callable[[str], Sequence[int]]:
    """Return what encodes with the parts that a reader found, special tokens in the text too."""
    codec = Codec(**parts._asdict())
    return lambda text: codec.encode(text, allowed_special="all")


def names_within_names(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each special token that begins with others, and the longest of these.

    Readers differ in which of the two they find where the longer one occurs.
    """
    begun: list[str] = []  # each begins with the one before it
    for name in sorted(names):
        while begun and not name.startswith(begun[-1]):
            begun.pop()
        if begun:
            yield name, begun[-1]
        begun.append(name)


def ordinary_tokens(tokenizer: Codec) -> Iterator[tuple[int, bytes]]:
    """Yield the id and the bytes of each byte, of what each merge makes, and of other tokens."""
    # Not `token_bytes`: an added token may have the id of a byte, and other bytes.
    for token_id, token in zip(tokenizer._ids(), tokenizer._token_bytes, strict=True):
        if token_id >= 0:
            yield token_id, token
    for tokens in (tokenizer.whole_words, tokenizer.other_tokens):
        for token, token_id in tokens.items():
            yield token_id, token


def check_plain(tokenizer: Codec, consumer: str, *, but: Collection[str] = ()) -> None:
    """Refuse what most formats can't say: a normalizer, and other tokens than bytes and merges.

    `but` names what this one can.
    """
    for name, value in (
        ("normalizer", tokenizer.normalizer),
        ("prefix_space", tokenizer.prefix_space),
        ("whole_words", tokenizer.whole_words),
        ("other_tokens", tokenizer.other_tokens),
        ("bytes without an id", [byte for byte in range(N_BYTES) if tokenizer.token_ids[byte] < 0]),
    ):
        if value and name not in but:
            raise ValueError(
                f"{consumer} can't say what this tokenizer has, {name}: {shorten(value)}; "
                "Tokenizer.save and save_pretrained keep it"
            )


def check_tokens_differ(tokenizer: Codec, *, but: Collection[int] = ()) -> None:
    """Refuse two tokens with the same bytes, for a format that names tokens by their bytes.

    But for those of some ids, which have other names.
    """
    seen: dict[bytes, int] = {}
    for token_id, token in ordinary_tokens(tokenizer):
        if token_id in but:
            continue
        if token in seen:
            raise ValueError(
                f"the ids {seen[token]} and {token_id} both mean {shorten(token)}, but this "
                "format can give one id only to the same bytes; Tokenizer.save keeps both"
            )
        seen[token] = token_id


def check_ranks_mean_merges(tokenizer: Codec) -> None:
    """Refuse a tokenizer whose ids differ where any two tokens that spell a third are merged.

    That is how tiktoken works, which is given the tokens and their ranks, not the merges. It gives
    equal ids if ids grow in the order of the merges and each token alone is encoded as itself. (Two
    tokens that are neighbours when all merges before some rank have been made are what the two
    together, as a word of their own, had come to by then. So if all words that spell a token come
    to it by its own merge, no other pair that spells it ever occurs in a text.)
    """
    # A token without bytes is in Whisper's file of ranks.
    if tokenizer.normalizer is not None or tokenizer.prefix_space or any(tokenizer.other_tokens):
        check_plain(tokenizer, "tiktoken")
    check_tokens_differ(tokenizer)
    _check_ids_in_order(tokenizer)
    for token_id, token in ordinary_tokens(tokenizer):
        ids = tokenizer._encode_word(token)
        if token and ids != [token_id]:
            raise ValueError(
                f"the token {shorten(token)}, id {token_id}, is encoded as {shorten(ids)}, so its "
                "merge can't be told from ranks, and tiktoken would give other ids"
            )
    _check_words_unmade(tokenizer)


def _check_ids_in_order(tokenizer: Codec) -> None:
    """Refuse ids that, as ranks, give merges in another order, where that makes a difference."""
    ids, order = tokenizer.token_ids[N_BYTES:], tokenizer.merge_order
    ids = ids if order is None else ids[order.argsort()]
    (late,) = (ids[1:] < ids[:-1]).nonzero()
    if len(late) == 0:
        return
    if order is None and not tokenizer.other_tokens:
        # A merge that needs a token of a higher rank comes after that one's.
        read = from_ranks({token: i for i, token in ordinary_tokens(tokenizer)}, "none", {})
        if Codec(**read._asdict()) == Codec(
            merges=tokenizer.merge_pairs,
            token_ids=tokenizer.token_ids,
            whole_words=tokenizer.whole_words,
            special_tokens={},
            pattern="none",
        ):
            return
    raise ValueError(
        f"the id {ids[late[0] + 1]} belongs to a later merge than {ids[late[0]]}, but ranks must "
        "be ids"
    )


def _check_words_unmade(tokenizer: Codec) -> None:
    """Refuse words that are taken whole and that merges bring to two parts.

    tiktoken makes the token of these two in longer words, too.
    """
    if not tokenizer.whole_words:
        return
    merges_only = Codec(
        merges=tokenizer.merge_pairs, merge_order=tokenizer.merge_order, pattern="none"
    )
    for word, token_id in tokenizer.whole_words.items():
        parts = merges_only._encode_word(word)
        if len(parts) == 2:
            left, right = map(merges_only.token_bytes, parts)
            raise ValueError(
                f"the token {shorten(word)}, id {token_id}, is taken where it is a whole word only "
                f"(whole_words), but tiktoken makes it of {shorten(left)} and {shorten(right)} in "
                "longer words, too; Tokenizer.save keeps the difference"
            )
