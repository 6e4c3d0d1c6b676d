"""tokenizer.json and the files next to it: equal ids in tokenizers and transformers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given

from bpetok.encoding.added_tokens import AddedToken
from bpetok.formats.checks import check_ids_equal
from bpetok.formats.tokenizer_json import parse
from bpetok.patterns.builtin import names
from bpetok.patterns.chains import Step
from bpetok.tokenizer import Tokenizer
from samples import MERGES, TOKENIZERS, document
from strategies import TEXT, texts


@pytest.fixture(params=TOKENIZERS)
def tok(request: pytest.FixtureRequest) -> Tokenizer:
    return TOKENIZERS[request.param]


@pytest.mark.parametrize("name", TOKENIZERS)
@given(text=texts)
def test_tokenizers_gives_the_same_ids(name: str, text: str) -> None:
    """Special tokens in the text included."""
    pytest.importorskip("tokenizers")
    tok = TOKENIZERS[name]
    text += "<|end|>" + text + "a b<|im_start|>"
    if name not in THEIRS:
        THEIRS[name] = tok.to_tokenizers()
    ids = tok.encode(text, allowed_special="all")
    assert THEIRS[name].encode(text).ids == ids
    assert THEIRS[name].decode(ids, skip_special_tokens=False) == text


THEIRS: dict[str, Any] = {}


def test_a_saved_folder_reads_back_equal(tok: Tokenizer, tmp_path: Path) -> None:
    """The folder is made; the file alone is enough; saving again replaces."""
    for _ in range(2):
        tok.save_pretrained(tmp_path / "model", model_max_length=512)
        assert Tokenizer.from_pretrained(tmp_path / "model") == tok
        assert Tokenizer.from_pretrained(str(tmp_path / "model" / "tokenizer.json")) == tok
    files = {file.name for file in (tmp_path / "model").iterdir()}
    assert files == {"tokenizer.json", "tokenizer_config.json"}
    config = json.loads((tmp_path / "model" / "tokenizer_config.json").read_text())
    assert config == {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "model_max_length": 512,
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_transformers_loads_the_folder(tmp_path: Path) -> None:
    """AutoTokenizer gives the same ids, knows the roles and applies the chat template."""
    transformers = pytest.importorskip("transformers")
    tok = TOKENIZERS["as trained"]
    tok.save_pretrained(
        tmp_path,
        bos_token="<|im_start|>",
        eos_token="<|end|>",
        pad_token="<|end|>",
        chat_template="{% for m in messages %}<|im_start|>{{ m.content }}<|end|>{% endfor %}",
    )
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    text = TEXT + "<|im_start|>it is , n't ok .<|end|>"
    ids = tok.encode(text, allowed_special="all")
    assert theirs.encode(text) == ids
    assert theirs.decode(ids) == text
    assert len(theirs) == tok.vocab_size
    assert (theirs.bos_token_id, theirs.eos_token_id, theirs.pad_token_id) == (407, 406, 406)
    with_tags = (
        "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}"
    )
    tok.to_transformers(eos_token="<|end|>", chat_template=with_tags)  # tags of transformers
    said = theirs.apply_chat_template([{"role": "user", "content": "the end"}], tokenize=False)
    assert said == "<|im_start|>the end<|end|>"
    direct = tok.to_transformers(eos_token="<|end|>", chat_template="{{ messages[0].content }}")
    assert direct.encode(text) == ids
    assert direct.eos_token_id == 406
    assert direct.apply_chat_template([{"role": "user", "content": "x"}], tokenize=False) == "x"


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("model_type", ["gpt2", "qwen2"])
def test_a_model_beside_a_tokenizer_may_change_its_ids(model_type: str, tmp_path: Path) -> None:
    """transformers 5 replaces the pre-tokenizer for some models, whatever the files say."""
    transformers = pytest.importorskip("transformers")
    tok = TOKENIZERS["as trained"]
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    if model_type == "qwen2" and transformers.__version__.startswith("5"):
        with pytest.raises(ValueError, match=r"AutoTokenizer, which goes by .*config.json, gives"):
            tok.save_pretrained(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["config.json"]
    else:
        tok.save_pretrained(tmp_path)
        theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
        check_ids_equal(tok, theirs.encode, "transformers")


def test_a_model_beside_a_tokenizer_needs_no_transformers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then ids are compared with tokenizers only, and what transformers 5 would do is said."""
    monkeypatch.setitem(sys.modules, "transformers", None)
    (tmp_path / "config.json").write_text('{"model_type": "qwen2"}')
    with pytest.warns(UserWarning, match="type is 'qwen2': AutoTokenizer of transformers 5"):
        TOKENIZERS["as trained"].save_pretrained(tmp_path)
    assert Tokenizer.from_pretrained(tmp_path) == TOKENIZERS["as trained"]


def test_any_expression_can_be_written(tmp_path: Path) -> None:
    """If it means the same there; then it is read back as what it is."""
    tok = Tokenizer(merges=MERGES, pattern=r"\w+|[^\w\s]+|\s+")
    tokenizers = pytest.importorskip("tokenizers")
    for pattern in (r" ?[a-z]+|[^a-z]", r"\w+|[^\w\s]+|\s+"):  # \w is spelled out in the file
        tok = Tokenizer(merges=MERGES, pattern=pattern)
        tok.save_pretrained(tmp_path / "new")
        theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "new" / "tokenizer.json"))
        text = f"{TEXT} \xb2\xbc \u2160 \u24d0 \u00aa"
        assert theirs.encode(text).ids == tok.encode(text)
        assert Tokenizer.from_pretrained(tmp_path / "new").encode(text) == tok.encode(text)
    tok = Tokenizer(merges=MERGES, pattern=r"(?i:ss)+|[^s]+|s")
    with pytest.raises(ValueError, match="pattern"):
        tok.save_pretrained(tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("role", ["bos_token", "eos_token", "pad_token", "unk_token"])
def test_a_role_needs_a_special_token(role: str, tmp_path: Path) -> None:
    """Transformers would add the token to the vocabulary without a word."""
    options: dict[str, Any] = {role: "<s>"}
    with pytest.raises(ValueError, match=rf"{role} must be a special token .* got '<s>'"):
        TOKENIZERS["as trained"].save_pretrained(tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("option", "error", "message"),
    [
        ({"chat_template": 5}, TypeError, "chat_template must be a str, got 5"),
        ({"chat_template": "\ud800"}, ValueError, "chat_template has a lone surrogate"),
        ({"chat_template": "\n{% for"}, ValueError, "chat_template, line 2: unexpected 'end of t"),
        ({"model_max_length": 0}, ValueError, r"model_max_length must be in 1\.\."),
        ({"model_max_length": "512"}, TypeError, "model_max_length must be an int, got '512'"),
        ({"eos_token": ["<|end|>"]}, ValueError, "eos_token must be a special token"),
    ],
)
def test_options_are_checked_before_anything_is_written(
    option: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    """Of the config and the template too."""
    with pytest.raises(error, match=message):
        TOKENIZERS["as trained"].save_pretrained(tmp_path / "new", **option)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "name", ["special_tokens_map.json", "added_tokens.json", "chat_template.jinja"]
)
def test_what_another_tokenizer_left_is_not_mixed_in(name: str, tmp_path: Path) -> None:
    """transformers 4 would add the tokens of the first two to the vocabulary."""
    tok = TOKENIZERS["as trained"]
    (tmp_path / name).write_text('{"pad_token": "<pad>"}')
    with pytest.raises(ValueError, match=f"{name} belongs to another tokenizer, .* remove it"):
        tok.save_pretrained(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    if name == "chat_template.jinja":
        tok.save_pretrained(tmp_path, chat_template="new")
        assert (tmp_path / name).read_text() == "new"


def test_without_tokenizers_the_reader_here_checks(
    tok: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    tok.save_pretrained(tmp_path)
    assert Tokenizer.from_pretrained(tmp_path) == tok
    with pytest.raises(ImportError):
        tok.to_tokenizers()


@pytest.mark.parametrize("target", ["huggingface", "tiktoken"])
def test_a_consumer_that_gives_other_ids_is_found_out(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is written."""
    pytest.importorskip("tokenizers")
    pytest.importorskip("tiktoken")
    module = "pre_tokenizers" if target == "huggingface" else target
    monkeypatch.setattr(f"bpetok.formats.{module}.expression_of", lambda _: r"\s+|\S+")
    monkeypatch.setattr("bpetok.formats.pre_tokenizers.SPELLED", {})
    tok = TOKENIZERS["as trained"]
    write: Any = tok.to_tiktoken if target == "tiktoken" else tok.save_pretrained
    with pytest.raises(ValueError, match="gives other ids than this tokenizer for"):
        write(tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.fixture(scope="module")
def trained_by_tokenizers() -> Any:
    """A tokenizer.json of the tokenizers package's own trainer: special tokens come first."""
    tokenizers = pytest.importorskip("tokenizers")
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE())
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    theirs.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=450,
        special_tokens=["<pad>", "<|end|>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    theirs.train_from_iterator([TEXT] * 3, trainer)
    return theirs


@given(text=texts)
def test_what_tokenizers_trained_gives_the_same_ids_here(
    trained_by_tokenizers: Any, text: str
) -> None:
    """And when it is written again."""
    theirs = trained_by_tokenizers
    if "ours" not in THEIRS:
        THEIRS["ours"] = Tokenizer(**parse(json.loads(theirs.to_str()))._asdict())
        THEIRS["again"] = THEIRS["ours"].to_tokenizers()
    ours, again = THEIRS["ours"], THEIRS["again"]
    assert ours.special_tokens == {"<pad>": 0, "<|end|>": 1}
    ids = theirs.encode(text + "<|end|> " + text).ids
    assert ours.encode(text + "<|end|> " + text, allowed_special="all") == ids
    assert again.encode(text + "<|end|> " + text).ids == ids
    assert ours.decode(ids) == text + "<|end|> " + text


def test_two_kinds_of_added_tokens_that_never_overlap_are_read(tmp_path: Path) -> None:
    """As where tokens were added to a tokenizer later."""
    pytest.importorskip("tokenizers")
    theirs = Tokenizer(merges=MERGES, special_tokens=["<|end|>", "<|end|>s"]).to_tokenizers()
    theirs.add_tokens(["<|call|>", "<|call|>s", "  "])
    theirs.save(str(tmp_path / "tokenizer.json"))
    tok = Tokenizer.from_pretrained(tmp_path)
    assert len(tok.special_tokens) == 5
    check_ids_equal(tok, lambda text: theirs.encode(text).ids, "tokenizers")


def test_a_byte_that_is_an_added_token_keeps_its_name_in_a_vocabulary(tmp_path: Path) -> None:
    """Where the token is found as a normalizer makes it: with other bytes."""
    pytest.importorskip("tokenizers")
    content = json.loads(document(normalizer={"type": "Prepend", "prepend": "ß"}))
    flags = {"special": False, "lstrip": False, "rstrip": True, "single_word": False}
    content["added_tokens"] = [{"content": "!", "id": 33, "normalized": True, **flags}]
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    tok = Tokenizer.from_pretrained(tmp_path)
    tok.save_pretrained(tmp_path / "saved")
    vocab = json.loads((tmp_path / "saved" / "tokenizer.json").read_text())["model"]["vocab"]
    assert {name for name, token_id in vocab.items() if token_id == 33} == {"!"}
    assert Tokenizer.from_pretrained(tmp_path / "saved") == tok


def panic() -> list[int]:
    """Fail as a library that is written in Rust does."""
    raise type("PanicException", (BaseException,), {})("a panic")


def test_a_consumer_that_fails_is_an_error_that_says_so(tmp_path: Path) -> None:
    """A panic of Rust is no Exception in Python; nothing is written."""
    pytest.importorskip("tokenizers")
    end = AddedToken("<|end|>", 256, special=False, rstrip=True, normalized=True)
    space = AddedToken("  ", 257, lstrip=True, normalized=True)
    special = {token.content: token.id for token in (end, space)}
    tok = Tokenizer(merges=[], special_tokens=special, added_tokens=[end, space])
    with pytest.raises(ValueError, match=r"tokenizers .* can't encode .*PanicException.* nothing"):
        tok.save_pretrained(tmp_path / "saved")
    assert not (tmp_path / "saved").exists()
    with pytest.raises(ValueError, match="panic"):  # where an expression is compiled, too
        check_ids_equal(tok, lambda _: panic(), "tokenizers")
    error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        check_ids_equal(tok, lambda _: (_ for _ in ()).throw(error), "tokenizers")


@pytest.mark.parametrize("name", ["<|größe|>", "«q»", "<|Ġ|>", "<|č|>"])
def test_a_special_token_that_is_decoded_otherwise_there_is_warned_of(name: str) -> None:
    """tokenizers takes each of its characters for a byte, if all are of GPT-2's alphabet."""
    pytest.importorskip("tokenizers")
    tok = Tokenizer(merges=[], special_tokens=[name])
    with pytest.warns(UserWarning, match=r"tokenizers will decode .* as "):
        theirs = tok.to_tokenizers()
    assert theirs.encode(name).ids == [256]
    with pytest.warns(UserWarning, match="as '" + theirs.decode([256], skip_special_tokens=False)):
        tok.to_tokenizers()


@pytest.mark.parametrize("name", ["<|слово|>", "<|ü x|>", "<|plain|>", "<｜a▁b｜>"])
def test_other_special_tokens_are_decoded_as_they_are(name: str) -> None:
    """Without a warning."""
    pytest.importorskip("tokenizers")
    theirs = Tokenizer(merges=[], special_tokens=[name]).to_tokenizers()
    assert theirs.decode([256], skip_special_tokens=False) == name


@pytest.mark.parametrize("pattern", names())
def test_every_pattern_is_written_and_read_back(pattern: str, tmp_path: Path) -> None:
    """Also a chain of steps, with all that steps may do."""
    pytest.importorskip("tokenizers")
    tok = Tokenizer(merges=MERGES, pattern=pattern)
    tok.save_pretrained(tmp_path)
    assert Tokenizer.from_pretrained(tmp_path) == tok


@pytest.mark.parametrize(
    "pattern",
    [
        [(r"\s+", "removed"), "digits"],
        ["punctuation", ("whitespace", "merged_with_next")],
        [("digits", "contiguous"), (r"[a-e]+", "kept")],
        ["right_to_left_digits", "gpt2"],
        [("punctuation", "merged_with_previous"), "gpt2", "byte_level", "digits"],
    ],
)
def test_chains_are_written_and_read_back(pattern: Any, tmp_path: Path) -> None:
    """With equal ids in tokenizers, which is compared before anything is written."""
    pytest.importorskip("tokenizers")
    tok = Tokenizer(merges=MERGES, pattern=pattern)
    tok.save_pretrained(tmp_path)
    again = Tokenizer.from_pretrained(tmp_path)
    check_ids_equal(again, tok.encode_ordinary, "what was written")


@pytest.mark.parametrize("name", ["gpt2", "cl100k", "none", "kimi", "deepseek", "smollm", "falcon"])
def test_a_portable_folder_reads_back_equal(name: str, tmp_path: Path) -> None:
    """The pre-tokenizer of a file is written anew, too; saved again, it stays as it is."""
    tok = Tokenizer(merges=MERGES, pattern=name, special_tokens=["<|end|>"])
    tok.save_pretrained(tmp_path / "published")
    Tokenizer.from_pretrained(tmp_path / "published").save_pretrained(
        tmp_path / "portable", portable=True
    )
    files = [tmp_path / folder / "tokenizer.json" for folder in ("published", "portable", "again")]
    splits = json.dumps(json.loads(files[1].read_bytes())["pre_tokenizer"])
    assert "(?i" not in splits
    assert r"\\s" not in splits.replace(r"[\\s\\S]", "")
    back = Tokenizer.from_pretrained(files[1])
    assert back == tok
    back.save_pretrained(tmp_path / "again")
    assert json.loads(files[2].read_bytes()) == json.loads(files[1].read_bytes())


def test_what_a_portable_folder_can_not_say_is_told(tmp_path: Path) -> None:
    """A space before a text is refused; what transformers.js takes otherwise has a warning."""
    with pytest.raises(ValueError, match=r"portable=True: only .*prefix_space"):
        Tokenizer(merges=MERGES, prefix_space=True).save_pretrained(tmp_path, portable=True)
    spaced: list[Step] = ["digits", "prefix_space"]
    with pytest.raises(ValueError, match=r"portable=True: only .* or piece of one"):
        Tokenizer(merges=MERGES, pattern=spaced).save_pretrained(tmp_path, portable=True)
    Tokenizer(merges=MERGES, pattern="none", prefix_space=True).save_pretrained(
        tmp_path, portable=True
    )
    flagged: Any = json.loads(document())
    flagged["added_tokens"][0] |= {"lstrip": True, "single_word": True}
    del flagged["model"]["vocab"]["\u0120"]
    (tmp_path / "tokenizer.json").write_text(json.dumps(flagged))
    with pytest.warns(UserWarning, match="portable=True") as caught:
        Tokenizer.from_pretrained(tmp_path).save_pretrained(tmp_path, portable=True)
    messages = "\n".join(str(warning.message) for warning in caught)
    for part in ("lstrip, rstrip", "no single_word", "of 256 bytes 1 have no id, first 0x20"):
        assert part in messages
    assert {warning.filename for warning in caught} == {__file__}
    with pytest.raises(TypeError, match="portable must be a bool"):
        Tokenizer(merges=MERGES).save_pretrained(tmp_path, portable=cast("bool", 1))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_class_that_splits_in_its_own_way_is_told(tmp_path: Path) -> None:
    """As transformers 5 reads SmolLM's folder: by GPT-2's class, without single digits."""
    transformers = pytest.importorskip("transformers", minversion="5")
    tok = Tokenizer(merges=[*MERGES, (ord("1"), ord("2"))], pattern="smollm")
    tok.save_pretrained(tmp_path)
    config = tmp_path / "tokenizer_config.json"
    content = json.loads(config.read_bytes()) | {"tokenizer_class": "GPT2Tokenizer"}
    config.write_text(json.dumps(content))
    read = Tokenizer.from_pretrained(tmp_path)
    with pytest.warns(UserWarning, match="'GPT2Tokenizer', and AutoTokenizer of .* other ids"):
        read.save_pretrained(tmp_path)
    assert transformers.AutoTokenizer.from_pretrained(tmp_path).encode("12") != read.encode("12")
