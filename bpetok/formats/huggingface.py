"""Hugging Face: tokenizer.json and the files next to it, for tokenizers and transformers."""

from __future__ import annotations

import copy
import json
import os
import warnings
from collections.abc import Collection, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpetok.base.byte_characters import (
    BYTES_BY_CHARACTER,
    NEVER_IN_UTF8,
    from_text,
    never_found,
    other_word,
    spelled_as_bytes,
    spells_itself,
    to_text,
)
from bpetok.base.checks import check_integer, encode_utf8, shorten
from bpetok.base.extras import importing_whole
from bpetok.base.files import check_folder, read_bounded, write_together
from bpetok.base.limits import MAX_INT64, N_BYTES
from bpetok.encoding.added_tokens import AddedToken, left_in_texts
from bpetok.formats.checks import (
    check_ids_equal,
    check_tokens_differ,
    encoder_of,
    ordinary_tokens,
    panics_are_errors,
)
from bpetok.formats.files import (
    LARGE,
    expect,
    naming_file,
    read_json,
    read_without_merges,
    temporary_files,
)
from bpetok.formats.parts import Parts
from bpetok.formats.pre_tokenizers import BYTE_LEVEL_ALONE, write, write_portable
from bpetok.formats.tokenizer_json import RAW_NAMES, parse
from bpetok.patterns.chains import BYTE_LEVEL

if TYPE_CHECKING:
    import tokenizers
    import transformers

    from bpetok.encoding.codec import Codec

TEMPLATE = "chat_template.jinja"
READ_TOO = ("special_tokens_map.json", "added_tokens.json", "additional_chat_templates")
"""What older versions of transformers have written, and read with every tokenizer.json."""


OVERRIDING = (
    "qwen2",
    "qwen3_5",
    "qwen3_5_moe",
    "qwen3_5_moe_text",
    "qwen4_exp",
    "hyperclovax_vision_v2",
    "siglip2",
)
"""Types of models for which AutoTokenizer of transformers 5.24 has a pre-tokenizer of its own."""

BPE = {
    "type": "BPE",
    "dropout": None,
    "unk_token": None,
    "continuing_subword_prefix": None,
    "end_of_word_suffix": None,
    "fuse_unk": False,
    "byte_fallback": False,
    "ignore_merges": False,
}
"""A model in a tokenizer.json, but for its vocabulary and merges."""

PLAIN_CLASSES = ("PreTrainedTokenizerFast", "TokenizersBackend")
"""Classes of transformers that are what the files say."""

NOT_OF_AN_OBJECT = ("tokenizer_class", "added_tokens_decoder", "auto_map")
"""Entries of a tokenizer_config.json that say how to make a tokenizer of the files."""


def save_pretrained(
    tokenizer: Codec,
    folder: str | os.PathLike[str],
    roles: Mapping[str, str | None],
    chat_template: str | None,
    model_max_length: int | None,
    *,
    portable: bool,
) -> None:
    """Write tokenizer.json, tokenizer_config.json and, if there is one, chat_template.jinja."""
    config = build_config(tokenizer, roles, chat_template, model_max_length)
    template = config.get("chat_template")
    has_file = isinstance(template, str)
    target = check_folder(folder)
    check_no_leftovers(target, READ_TOO if has_file else (*READ_TOO, TEMPLATE))
    document = build_document(tokenizer, portable=portable)
    check(tokenizer, document)
    files = {"tokenizer.json": dump(document), "tokenizer_config.json": dump(config)}
    if has_file:
        files[TEMPLATE] = encode_utf8(str(template), "chat_template")
    checked = files
    if document["model"]["dropout"]:
        checked = files | {"tokenizer.json": dump(_without_dropout(document))}
    if (target / "config.json").exists():
        _check_beside(target / "config.json", tokenizer, checked)
    elif config["tokenizer_class"] not in PLAIN_CLASSES:
        _warn_of_class(config["tokenizer_class"], tokenizer, checked)
    target.mkdir(exist_ok=True)
    write_together({target / name: data for name, data in files.items()})
    if read_json(read_bounded(target / "tokenizer.json")) != document:
        raise ValueError(f"{target}: what was written reads back otherwise")


def check_no_leftovers(folder: Path, names: Iterable[str]) -> None:
    """Refuse a folder with files of another tokenizer, which would be read with this one."""
    for name in names:
        if (folder / name).exists():
            raise ValueError(
                f"{folder / name} belongs to another tokenizer, and transformers would read it "
                "with this one: remove it, or choose another folder"
            )


def _warn_of_model(config: Path, tokenizer: Codec) -> None:
    """Warn if a class of transformers 5 has a pre-tokenizer of its own for this type of model."""
    with naming_file(config):
        content = read_json(read_bounded(config))
    model_type = content.get("model_type") if isinstance(content, dict) else None
    if model_type in OVERRIDING:
        warnings.warn(
            f"{config} says that the model's type is {model_type!r}: AutoTokenizer of transformers "
            f"5 replaces the pre-tokenizer and the normalizer there, whatever this tokenizer has "
            f"(pattern {shorten(tokenizer.pattern)}); PreTrainedTokenizerFast.from_pretrained "
            "does not",
            stacklevel=5,
        )


def _warn_of_class(name: object, tokenizer: Codec, files: Mapping[str, bytes]) -> None:
    """Warn if AutoTokenizer makes an object of a class that splits otherwise, whatever is written.

    The class is that of the folder that the tokenizer was read from, where transformers did so too.
    """
    try:
        with importing_whole():
            from transformers import AutoTokenizer, __version__
    except ImportError:
        return
    with temporary_files(files) as folder:
        try:
            theirs = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        except (ValueError, ImportError):
            return  # a class that it does not have: it says so
    try:
        check_ids_equal(
            tokenizer,
            lambda text: theirs.encode(text, add_special_tokens=False),
            f"AutoTokenizer of transformers {__version__}",
        )
    except ValueError as error:
        reason = str(error).removesuffix("; nothing was written")
        warnings.warn(
            f"tokenizer_class is {name!r}, and {reason}: that class splits in its own way; "
            "PreTrainedTokenizerFast.from_pretrained reads the files as they are",
            stacklevel=4,
        )


def _check_beside(config: Path, tokenizer: Codec, files: Mapping[str, bytes]) -> None:
    """Compare ids with those of AutoTokenizer, where transformers is installed.

    transformers 5 goes by a model's config.json, too: for the type qwen2 it replaces the
    pre-tokenizer, and normalizes.
    """
    try:
        with importing_whole():
            from transformers import AutoTokenizer, __version__
    except ImportError:
        _warn_of_model(config, tokenizer)
        return
    if int(__version__.split(".")[0]) < 5:
        _warn_of_model(config, tokenizer)
    beside = {"config.json": read_bounded(config)}
    with temporary_files({**files, **beside}) as folder:
        theirs = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    check_ids_equal(
        tokenizer,
        lambda text: theirs.encode(text, add_special_tokens=False),
        f"AutoTokenizer, which goes by {config},",
    )


def to_tokenizers(tokenizer: Codec) -> tokenizers.Tokenizer:
    """Return the tokenizer as an object of the tokenizers library."""
    document = build_document(tokenizer)
    check(tokenizer, document)
    return load(document)


def load(document: Mapping[str, Any]) -> tokenizers.Tokenizer:
    """Return what the tokenizers library makes of a tokenizer.json.

    From a file, since tokenizers 1.0 reads nothing else.
    """
    with importing_whole():
        import tokenizers

    with temporary_files({"tokenizer.json": dump(document)}) as folder:
        return tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))


def to_transformers(
    tokenizer: Codec, roles: Mapping[str, str | None], chat_template: str | None
) -> transformers.PreTrainedTokenizerFast:
    """Return the tokenizer as a fast tokenizer of the transformers library."""
    with importing_whole():
        from transformers import PreTrainedTokenizerFast

    config = build_config(tokenizer, roles, chat_template, None)
    for name in NOT_OF_AN_OBJECT:
        config.pop(name, None)
    return PreTrainedTokenizerFast(tokenizer_object=to_tokenizers(tokenizer), **config)


def build_document(tokenizer: Codec, *, portable: bool = False) -> dict[str, Any]:
    """Return what tokenizer.json holds.

    Special tokens are in the vocabulary, too, since some readers count that only, if that changes
    no id. Merges are strings, which all readers take; pairs are for newer ones only. If portable,
    the pre-tokenizer is written anew, also where a file had one.
    """
    # Long: the document as a whole, as its readers see it.
    settings = tokenizer.settings
    raw_names = _raw_names(tokenizer, settings.get(RAW_NAMES, ()))
    check_tokens_differ(tokenizer, but=raw_names)
    _warn_of_decoding(tokenizer)
    unknown = _unknown(tokenizer, raw_names)
    model = {
        **BPE,
        "ignore_merges": bool(tokenizer.whole_words),
        **settings.get("model", {}),
        **unknown,
    }
    words_are_whole = bool(model["ignore_merges"])
    vocab = _vocab(tokenizer, raw_names, words_are_whole=words_are_whole)
    added: list[AddedToken] = []
    for token in sorted(tokenizer.added_tokens, key=lambda token: token.id):
        name, token_id = token.content, token.id
        if added and added[-1].id == token_id:
            raise ValueError(
                f"the special tokens {added[-1].content!r} and {name!r} have one id, "
                f"{token_id}, which tokenizer.json can't say; Tokenizer.save and to_tiktoken keep "
                "both"
            )
        if vocab.get(name, token_id) != token_id:
            raise ValueError(
                f"the special token {name!r} is spelled as the ordinary token of id {vocab[name]} "
                "is in tokenizer.json, which gives both one id"
            )
        byte = BYTES_BY_CHARACTER.get(name)
        if name not in vocab and byte is not None and byte not in NEVER_IN_UTF8:
            raise ValueError(
                f"the special token {name!r} spells the byte {byte:#04x} in tokenizer.json, which "
                "has no id here and would have one there"
            )
        added.append(token)
    _add_to_vocab(
        vocab, added, tokenizer, unknown.get("unk_token"), words_are_whole=words_are_whole
    )
    return {
        "version": "1.0",
        "truncation": settings.get("truncation"),
        "padding": settings.get("padding"),
        "added_tokens": [token._asdict() for token in added],
        "normalizer": _normalizer(tokenizer),
        "pre_tokenizer": _pre_tokenizer(tokenizer, portable=portable),
        "post_processor": settings.get("post_processor"),
        "decoder": settings.get("decoder", BYTE_LEVEL_ALONE),
        "model": {
            **model,
            "vocab": dict(sorted(vocab.items(), key=lambda item: item[1])),
            "merges": [
                f"{to_text(left)} {to_text(right)}" for left, right in tokenizer._merges_as_taken()
            ],
        },
    }


def _raw_names(tokenizer: Codec, kept: Collection[str]) -> dict[int, str]:
    """Return the names that spell no bytes, by their ids: those that a file had."""
    raw = set(kept)
    named = ((token_id, never_found(token)) for token, token_id in tokenizer.other_tokens.items())
    return {token_id: name for token_id, name in named if name is not None and name in raw}


def _vocab(
    tokenizer: Codec, raw_names: Mapping[int, str], *, words_are_whole: bool
) -> dict[str, int]:
    """Return the vocabulary without special tokens.

    Raises
    ------
    ValueError
        If words are taken whole there, and a token that is never found here would be.
    """
    others = tokenizer.other_tokens if words_are_whole else {}
    vocab = {}
    for token_id, token in ordinary_tokens(tokenizer):
        name = raw_names.get(token_id)
        if name is None and others.get(token) == token_id:
            name = never_found(token)
        if words_are_whole and name is None and tokenizer._encode_word(token) != [token_id]:
            raise ValueError(
                f"the token {shorten(token)}, id {token_id}, is never found here, but would be "
                "by a file that says that words are taken whole (whole_words)"
            )
        vocab[to_text(token) if name is None else name] = token_id
    return vocab


def _add_to_vocab(
    vocab: dict[str, int],
    added: list[AddedToken],
    tokenizer: Codec,
    unknown: str | None,
    *,
    words_are_whole: bool,
) -> None:
    """Add the special tokens, but for those that a word of a text would be found as there.

    Raises
    ------
    ValueError
        If one has to be there, and an ordinary word is spelled so.
    """
    words = _words(vocab, added, tokenizer) if words_are_whole else set()
    beside = _beside(vocab, added, words - {unknown}, unknown)
    vocab.update((token.content, token.id) for token in added if token.content not in beside)
    found = [token for token in added if token.content in words - beside]
    for token in found:
        word = other_word(token.content, cut=BYTE_LEVEL in tokenizer.pattern)
        if word is not None:
            raise ValueError(
                f"the special token {token.content!r} spells {shorten(word)} in tokenizer.json, a "
                f"word that would have its id, {token.id}, as words are taken whole there "
                "(whole_words); Tokenizer.save keeps the difference"
            )
    if found:
        warnings.warn(
            f"a word {found[0].content!r} that is left in a text where the special token is not "
            f"matched has the id {found[0].id} in tokenizer.json, as words are taken whole there, "
            "and not here; Tokenizer.save keeps the difference",
            stacklevel=5,  # the caller of save_pretrained
        )


def _beside(
    vocab: Mapping[str, int], added: Iterable[AddedToken], words: set[str], unknown: str | None
) -> set[str]:
    """Return the special tokens that are beside the vocabulary, as those of Llama 3 are.

    These are `words` if all keep their ids so, otherwise none. Readers give them those from the
    number of tokens in it on, so they have the last ids of all, if there are no gaps before; that
    may take others out of it, too, but never the `unknown` one, which readers look for there.
    """
    new = [token for token in added if token.content not in vocab]
    n_tokens = len(vocab) + len(new)
    first = min((token.id for token in new if token.content in words), default=n_tokens)
    beside = {token.content for token in new if first <= token.id < n_tokens}
    if len(beside) < n_tokens - first or unknown in beside or not beside >= words:
        return set()
    return beside


def _words(vocab: Mapping[str, int], added: Collection[AddedToken], tokenizer: Codec) -> set[str]:
    """Return the special tokens that a word of a text would be found as in the vocabulary."""
    left = left_in_texts(added, tokenizer._normalizer)
    cut = BYTE_LEVEL in tokenizer.pattern
    names = {token.content for token in added if token.content not in vocab}
    return {
        name
        for name in names
        if (name in left and spells_itself(name)) or other_word(name, cut=cut) is not None
    }


def _unknown(tokenizer: Codec, raw_names: Mapping[int, str]) -> dict[str, Any]:
    """Return what the model says of bytes without an id, if there are any."""
    if min(tokenizer.token_ids[:N_BYTES].tolist()) >= 0:
        return {}
    if tokenizer.unk_id is None:
        return {"unk_token": None}
    name = raw_names.get(tokenizer.unk_id)
    if name is None:
        name = to_text(tokenizer.token_bytes(tokenizer.unk_id))
    for special, token_id in tokenizer.special_tokens.items():
        if token_id == tokenizer.unk_id:
            name = special
    return {"unk_token": name, "fuse_unk": tokenizer.fuse_unk}


def _pre_tokenizer(tokenizer: Codec, *, portable: bool) -> dict[str, Any]:
    if portable:
        _warn_of_javascript(tokenizer)
        return write_portable(tokenizer.pattern, prefix_space=tokenizer.prefix_space)
    given: dict[str, Any] | None = tokenizer.settings.get("pre_tokenizer")
    return given or write(tokenizer.pattern, prefix_space=tokenizer.prefix_space)


def _warn_of_javascript(tokenizer: Codec) -> None:
    """Warn of what transformers.js takes otherwise, and no file can mend."""
    flagged = [t.content for t in tokenizer.added_tokens if t.lstrip or t.rstrip]
    if flagged:
        warnings.warn(
            f"portable=True: transformers.js gives other ids where U+0085 or U+FEFF is next to "
            f"{shorten(flagged)}, which take the white space around them (lstrip, rstrip)",
            stacklevel=6,
        )
    alone = [t.content for t in tokenizer.added_tokens if t.single_word]
    if alone:
        warnings.warn(
            f"portable=True: transformers.js finds {shorten(alone)} inside of words, too: it knows "
            "no single_word",
            stacklevel=6,
        )
    missing = [byte for byte in range(N_BYTES) if tokenizer.token_ids[byte] < 0]
    if missing and tokenizer.unk_id is None:
        warnings.warn(
            f"portable=True: of 256 bytes {len(missing)} have no id, first {missing[0]:#04x}: "
            "transformers.js does not leave them out, as tokenizers does",
            stacklevel=6,
        )


def _normalizer(tokenizer: Codec) -> dict[str, Any] | None:
    spec = tokenizer.normalizer
    return {"type": "Sequence", "normalizers": spec} if isinstance(spec, list) else spec


def _warn_of_decoding(tokenizer: Codec) -> None:
    """Warn of special tokens that tokenizers takes for bytes that are spelled when it decodes."""
    if tokenizer.settings.get("decoder") is not None:
        return  # it does so here, too, and was warned of when it was read
    names = spelled_as_bytes(tokenizer.special_tokens)
    if names:
        decoded = from_text(names[0]).decode(errors="replace")
        warnings.warn(
            f"all characters of the special tokens {shorten(names)} spell bytes, so tokenizers "
            f"will decode {names[0]!r} as {decoded!r}: their ids are right, their text is not",
            stacklevel=5,  # the caller of save_pretrained
        )


def build_config(
    tokenizer: Codec,
    roles: Mapping[str, str | None],
    chat_template: str | None,
    model_max_length: int | None,
) -> dict[str, Any]:
    """Return what tokenizer_config.json holds: what its own file said, but for what is given.

    The class is otherwise the one that every version of transformers loads as it is: others replace
    the pre-tokenizer, silently. The template is here for readers before chat_template.jinja.
    """
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
    }
    config |= tokenizer.settings.get("tokenizer_config", {})
    for role, token in roles.items():
        if token is None:
            continue
        if not isinstance(token, str) or token not in tokenizer.special_tokens:
            raise ValueError(
                f"{role} must be a special token of the tokenizer, one of "
                f"{shorten(list(tokenizer.special_tokens))}, got {shorten(token)}: transformers "
                "would add it to the vocabulary"
            )
        config[role] = token
    if chat_template is not None:
        if not isinstance(chat_template, str):
            raise TypeError(f"chat_template must be a str, got {shorten(chat_template)}")
        encode_utf8(chat_template, "chat_template")
        _check_template(chat_template)
        config["chat_template"] = chat_template
    if model_max_length is not None:
        config["model_max_length"] = check_integer(
            "model_max_length", model_max_length, 1, MAX_INT64
        )
    return config


def _check_template(template: str) -> None:
    """Refuse a template that Jinja can't read, where Jinja is there.

    Otherwise transformers would load it, and fail at the first chat. Tags that Jinja does not know
    may be transformers' own, such as ``generation``.
    """
    if find_spec("jinja2") is None:
        return
    with importing_whole():
        import jinja2

    try:
        jinja2.Environment(extensions=["jinja2.ext.loopcontrols"]).parse(template)
    except jinja2.TemplateSyntaxError as error:
        if "unknown tag" not in str(error.message):
            raise ValueError(f"chat_template, line {error.lineno}: {error.message}") from None


def dump(document: object) -> bytes:
    """Return JSON as the readers of these files write it."""
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def _without_dropout(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document that gives the same ids at all times."""
    return document | {"model": document["model"] | {"dropout": None}}


def check(tokenizer: Codec, document: dict[str, Any]) -> None:
    """Compare ids with those of the tokenizers library, or of the reader here without it."""
    # What is done with a text besides: it is cut off, filled up, and put into a template.
    plain = _without_dropout(document) | dict.fromkeys(("truncation", "padding", "post_processor"))
    try:
        with importing_whole():
            import tokenizers
    except ImportError:
        model = copy.deepcopy(plain["model"])  # since its merges are used up
        check_ids_equal(tokenizer, encoder_of(parse(plain | {"model": model})), "the file")
        return
    consumer = f"tokenizers {tokenizers.__version__}"
    try:
        with panics_are_errors():
            other = load(plain)
            other.encode("a")  # 1.0 compiles an expression when it is first needed
    except OSError:  # of the temporary file
        raise
    except Exception as error:  # it raises this very class
        raise ValueError(
            f"{consumer} can't read the pattern {shorten(tokenizer.pattern)}, or something else of "
            f"the file: {error}; nothing was written"
        ) from None
    check_ids_equal(tokenizer, lambda text: list(other.encode(text).ids), consumer)


def read(file: Path) -> Parts:
    """Return the parts of a tokenizer from a tokenizer.json and the files next to it."""
    parts = _parse_rows(file)
    if parts is None:
        data = [read_bounded(file)]
        with naming_file(file):
            parts = parse(read_json(data.pop()))  # nothing holds the bytes while the tree is built
    if file.name != "tokenizer.json":
        return parts
    config = _read_beside(file.with_name("tokenizer_config.json"))
    if config.get("tokenizer_class") is not None:
        with naming_file(file.with_name("tokenizer_config.json")):
            expect(config["tokenizer_class"], str, "tokenizer_class")
    roles = _read_beside(file.with_name("special_tokens_map.json"))
    template = file.with_name(TEMPLATE)
    if template.exists():
        with naming_file(template):
            roles["chat_template"] = read_bounded(template).decode()
    config_values = roles | {name: value for name, value in config.items() if value is not None}
    return parts._replace(settings={**(parts.settings or {}), "tokenizer_config": config_values})


def _parse_rows(file: Path) -> Parts | None:
    """Return the parts of a tokenizer in less memory than a tree of the file takes.

    None where that does not do, or something is wrong, which the tree says better.
    """
    if file.stat().st_size < LARGE:
        return None  # before it is read
    document = read_without_merges(read_bounded(file))
    try:
        return None if document is None else parse(document)
    except (ValueError, RecursionError):
        return None


def _read_beside(file: Path) -> dict[str, Any]:
    """Return what a file next to tokenizer.json holds; nothing if it is not there."""
    if not file.exists():
        return {}
    data = read_bounded(file)
    with naming_file(file):
        content = read_json(data)
        if not isinstance(content, dict):
            raise ValueError(f"must be an object, got {shorten(content)}")
    return content
