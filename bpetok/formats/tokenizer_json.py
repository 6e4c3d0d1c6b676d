"""What a tokenizer.json says: read, or refused where it can't be represented here."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from bpetok.base.byte_characters import (
    BYTES_BY_CHARACTER,
    CHARACTERS,
    NEVER_IN_UTF8,
    from_text,
    never_found,
    other_word,
    spelled_as_bytes,
    spells_itself,
)
from bpetok.base.checks import shorten
from bpetok.encoding.added_tokens import FLAGS, AddedToken, left_in_texts
from bpetok.encoding.text_decoders import READ_ELSEWHERE, text_steps
from bpetok.formats import pre_tokenizers
from bpetok.formats.files import Rows, expect
from bpetok.formats.parts import Parts
from bpetok.formats.pre_tokenizers import refuse
from bpetok.formats.recovery import from_merges
from bpetok.patterns.chains import BYTE_LEVEL, Pattern
from bpetok.patterns.normalizers import Normalizer

CARRIED = ("truncation", "padding", "pre_tokenizer", "post_processor", "decoder")
CARRIED_OF_MODEL = ("dropout", "unk_token", "fuse_unk", "byte_fallback", "ignore_merges")
"""Parts of a tokenizer.json that are written back as they were."""
RAW_NAMES = "raw_names"
"""Names in a vocabulary that spell no bytes: "™" of Cohere, next to "âĦ¢", the token that a text
gives. Both are decoded to the same bytes.
"""


def parse(document: Any) -> Parts:
    """Return the parts of the tokenizer that a tokenizer.json describes.

    What it says of tokens and merges is used up, since it takes more memory than all that is made
    of it.

    Raises
    ------
    ValueError
        If it is not byte-level BPE, or does what can't be represented; the message says where and
        why.
    """
    content = expect(document, dict, "the file")
    model = expect(content.get("model"), dict, "model")
    _check_model(model)
    _check_decoder(content.get("decoder"))
    normalizer, spelled = _read_normalizer(content.get("normalizer"))
    splitting = pre_tokenizers.read(content.get("pre_tokenizer"), spelled=spelled)
    merges = model.get("merges")
    if not isinstance(merges, Rows):
        merges = expect(merges, list, "model.merges")
    names = _check_vocab(model.get("vocab"))
    added = _read_added_tokens(content.get("added_tokens", []), names)
    _check_normalized(added.values(), normalizer)
    _warn_of_spelled(added, content.get("decoder"))
    if splitting.normalizer or spelled:
        _check_as_they_are(added.values(), spelled=spelled)
        normalizer = {
            "type": "Sequence",
            "normalizers": [*_steps(normalizer), *splitting.normalizer],
        }
        content = {**content, "pre_tokenizer": None}  # to be written anew
    special = {name: token.id for name, token in added.items()}
    unk_id, fuse_unk = _read_unknown(model, names, merges)
    ignore_merges = bool(model.get("ignore_merges"))
    words: set[str] = set()
    if ignore_merges:
        _check_words_differ(names.keys() & added.keys(), splitting.pattern)
        normalize = Normalizer(normalizer) if _steps(normalizer) else None
        words = left_in_texts(added.values(), normalize)
    _remove_added(names, special, merges, words)
    parts = from_merges(
        names,
        merges,
        splitting.pattern,
        special,
        whole_words_first=ignore_merges,
    )
    return parts._replace(
        normalizer=normalizer,
        prefix_space=splitting.prefix_space,
        unk_id=unk_id,
        fuse_unk=fuse_unk,
        added_tokens=list(added.values()),
        settings=_read_settings(content, model) | _names_to_keep(parts, names),
    )


def _read_normalizer(normalizer: Any) -> tuple[Any, bool]:
    """Return a normalizer without ByteLevel, and whether that is its last step.

    ByteLevel spells the bytes of a text as characters, which otherwise a pre-tokenizer does.
    """
    steps = _steps(normalizer)
    kinds = [_type_of(step) for step in steps]
    if "ByteLevel" not in kinds:
        return normalizer, False
    if kinds.index("ByteLevel") < len(kinds) - 1:
        refuse("normalizer", normalizer, "steps after ByteLevel would change what spells the bytes")
    return {"type": "Sequence", "normalizers": steps[:-1]}, True


def _steps(normalizer: Any) -> list[Any]:
    """Return the steps of a normalizer, those of nested sequences, too."""
    if _type_of(normalizer) != "Sequence":
        return [] if normalizer is None else [normalizer]
    rows = expect(normalizer.get("normalizers"), list, "normalizer.normalizers")
    return [step for row in rows for step in _steps(row)]


def _check_as_they_are(added: Iterable[AddedToken], *, spelled: bool) -> None:
    """Refuse tokens that are looked for in a text after a step that is a part of the splitting.

    A text in which all bytes are spelled has no white space, so flags that tell of it mean nothing.
    """
    for i, token in enumerate(added):
        if token.normalized and (not spelled or token.lstrip or token.rstrip or token.single_word):
            refuse(
                f"added_tokens[{i}].normalized",
                True,
                "it is looked for between the normalizer and the pre-tokenizer, which are one "
                "here: set it to false",
            )


def _read_settings(content: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, Any]:
    """Return what has no meaning here, to be written back."""
    settings = {name: content.get(name) for name in CARRIED}
    settings["model"] = {name: model[name] for name in CARRIED_OF_MODEL if model.get(name)}
    return settings


def _names_to_keep(parts: Parts, names: Collection[str]) -> dict[str, Any]:
    """Return the names that spell no bytes, which nothing else of a tokenizer tells."""
    raw = map(never_found, parts.other_tokens or ())
    kept = sorted(name for name in raw if name is not None and name in names)
    return {RAW_NAMES: kept} if kept else {}


def _check_model(model: dict[str, Any]) -> None:
    if model.get("type", "BPE") != "BPE":
        refuse("model.type", model["type"], f"only BPE can be read; {READ_ELSEWHERE}")
    for name, why in (
        ("continuing_subword_prefix", f"a token is its bytes here; {READ_ELSEWHERE}"),
        ("end_of_word_suffix", f"a token is its bytes here; {READ_ELSEWHERE}"),
    ):
        if model.get(name):
            refuse(f"model.{name}", model[name], why)
    dropout = model.get("dropout")
    if dropout:
        if type(dropout) not in (int, float) or not 0 < dropout <= 1:
            refuse("model.dropout", dropout, "it is a number from 0 to 1, or null")
        warnings.warn(
            f"model.dropout is {dropout}: tokenizers leaves merges out at random, so its ids are "
            "others each time; the ids here are those without dropout. It is written back: set it "
            "to null in the file for the same ids everywhere",
            stacklevel=5,  # the caller of from_pretrained
        )


def _check_decoder(decoder: Any) -> None:
    """Refuse a decoder that can't be represented; warn where there is none."""
    text_steps(decoder)
    if decoder is None:
        warnings.warn(
            "the file has no decoder: decode gives the tokens as they are spelled, with spaces "
            "between them, as tokenizers does; decode_bytes gives the text",
            stacklevel=5,  # the caller of from_pretrained
        )


def _read_unknown(
    model: Mapping[str, Any], vocab: Mapping[str, int], merges: Iterable[Any]
) -> tuple[int | None, bool]:
    """Return the id of bytes that have none, and whether several in a row are one.

    Such bytes are left out without an "unk_token". Nothing may merge with it here.
    """
    missing = [byte for byte, character in enumerate(CHARACTERS) if character not in vocab]
    if len(missing) == len(CHARACTERS):
        raise ValueError("model.vocab: no byte has an id, so it is not byte-level")
    if not missing:
        return None, False
    for byte in missing if model.get("byte_fallback") else ():
        names = [f"<0x{part:02X}>" for part in CHARACTERS[byte].encode()]
        if all(name in vocab for name in names):
            refuse(
                "model.byte_fallback",
                True,
                f"the byte {byte:#04x} has no id and would become {' '.join(names)}, which decodes "
                "to another text; set it to false, and such bytes become the unk_token",
            )
    name = model.get("unk_token")
    if name is None:
        return None, False
    if name not in vocab:
        refuse(
            "model.unk_token",
            name,
            f"it has no id, and {len(missing)} of 256 bytes have none, first {missing[0]:#04x}: "
            "tokenizers fails where they occur",
        )
    for row in merges:
        if name in (row.split(" ") if isinstance(row, str) else row):
            refuse("model.unk_token", name, f"the merge {row!r} joins it")
    return vocab[name], bool(model.get("fuse_unk"))


def _check_vocab(rows: Any) -> dict[str, int]:
    vocab: dict[str, int] = expect(rows, dict, "model.vocab")
    if set(map(type, vocab.values())) - {int}:
        for name, token_id in vocab.items():
            if type(token_id) is not int:
                refuse(f"model.vocab[{shorten(name)}]", token_id, "an id is an integer")
    return vocab


def _remove_added(
    vocab: dict[str, int], special: Mapping[str, int], merges: Iterable[Any], words: Collection[str]
) -> None:
    """Remove the added tokens from the vocabulary, but for those that a text can give, too.

    Merges make them, or `words` that are taken whole are spelled like them.
    """
    both = [name for name in special if name in vocab]
    made = _made_of(both, vocab, merges)
    for name in both:
        is_word = name in words and spells_itself(name)
        if name not in made and not is_word:
            del vocab[name]


def _check_words_differ(both: Iterable[str], pattern: Pattern) -> None:
    """Refuse added tokens that are in the vocabulary, too, and spell another word there.

    It is taken whole, so both have one id: see `other_word`.
    """
    for name in sorted(both):
        word = other_word(name, cut=BYTE_LEVEL in pattern)
        if word is not None:
            refuse(
                "added_tokens",
                name,
                f"in model.vocab it spells {shorten(word)}, a word that is taken whole "
                "(ignore_merges), and both have one id there",
            )


def _made_of(names: Collection[str], vocab: Collection[str], merges: Iterable[Any]) -> set[str]:
    """Return those of some names that are a byte, or that a merge makes."""
    pairs = {
        (name[:i], name[i:])
        for name in names
        for i in range(1, len(name))
        if name[:i] in vocab and name[i:] in vocab
    }
    # A byte that no text has needs no id.
    made = {name for name in names if BYTES_BY_CHARACTER.get(name, 0xFF) not in NEVER_IN_UTF8}
    if pairs:
        for row in merges:
            pair = tuple(row.split(" ") if isinstance(row, str) else row)
            if pair in pairs:
                made.add("".join(pair))
    return made


def _read_added_tokens(rows: Any, vocab: Mapping[str, int]) -> dict[str, AddedToken]:
    """Return the added tokens with the ids that tokenizers gives them.

    That of the vocabulary, otherwise the next one, whatever the file says: from the number of names
    there on, as in tokenizers since 0.22.2. Up to 0.22.1 it was also larger than those before. Of
    rows that have the same content the last one has the flags; the empty one is nothing.
    """
    added: dict[str, AddedToken] = {}
    names: dict[int, str] = {}
    next_id = len(vocab)
    for i, row in enumerate(expect(rows, list, "added_tokens")):
        token = expect(row, dict, f"added_tokens[{i}]")
        name = expect(token.get("content"), str, f"added_tokens[{i}].content")
        given = token.get("id")
        if type(given) is not int:
            refuse(f"added_tokens[{i}].id", given, "an id is an integer")
        flags = {
            flag: expect(token.get(flag, False), bool, f"added_tokens[{i}].{flag}")
            for flag in FLAGS
        }
        if not name:
            continue
        if name in added:
            flags["special"] |= added[name].special
            token_id = added[name].id
        else:
            token_id = vocab.get(name, next_id)
            next_id += name not in vocab
        if token_id != given:
            warnings.warn(
                f"added_tokens[{i}]: {shorten(name)} has the id {given} there, but tokenizers "
                f"gives it {token_id} (since 0.22.2), and so does bpetok: that of model.vocab, "
                "otherwise the next",
                stacklevel=5,  # the caller of from_pretrained
            )
        if names.setdefault(token_id, name) != name:
            refuse(
                f"added_tokens[{i}].content",
                name,
                f"tokenizers gives it the id of {names[token_id]!r}, {token_id}, and finds one of "
                "the two only",
            )
        added[name] = AddedToken(name, token_id, **flags)
    return added


def _warn_of_spelled(added: Iterable[str], decoder: Any) -> None:
    """Warn of tokens that the decoder takes for the bytes that their characters spell."""
    names = spelled_as_bytes(added) if decoder is not None else []
    if names:
        decoded = from_text(names[0]).decode(errors="replace")
        warnings.warn(
            f"added_tokens: all characters of {shorten(names)} spell bytes, so tokenizers decodes "
            f"{names[0]!r} as {decoded!r}, and so does decode; decode_bytes gives the text",
            stacklevel=5,  # the caller of from_pretrained
        )


def _check_normalized(added: Iterable[AddedToken], normalizer: Any) -> None:
    """Refuse tokens of which nothing is left: tokenizers then finds one between all characters."""
    if normalizer is None:
        return
    normalize = Normalizer(normalizer)
    for i, token in enumerate(added):
        if token.normalized and not normalize(token.content.encode()):
            refuse(
                f"added_tokens[{i}].content",
                token.content,
                "the normalizer leaves nothing of it, and tokenizers then finds it everywhere",
            )


def _type_of(value: Any) -> Any:
    return value.get("type") if isinstance(value, dict) else None
