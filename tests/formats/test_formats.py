"""Files and objects of other libraries: equal ids there and back, or a refusal with the reason."""

import base64
import json
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from bpetok.formats import gpt2
from bpetok.formats import tiktoken as tiktoken_format
from bpetok.formats.byte_level import CHARACTERS as SPELLED
from bpetok.formats.byte_level import from_text, to_text
from bpetok.formats.checks import check_ids_equal
from bpetok.patterns.builtin import GPT2, PATTERNS, SPELLINGS
from bpetok.patterns.scan import split_words
from bpetok.tokenizer import Tokenizer
from strategies import TEXT, texts

SPECIAL = ["<|end|>", "<|im_start|>", "a b"]


def learned(n_merges):
    words = split_words(TEXT.encode())
    return reference.learn_merges({word: words.count(word) for word in words}, n_merges)[0]


MERGES = learned(150)
# Bytes in GPT-2's order, special tokens first, one id left out.
GPT2_BYTES = sorted(range(256), key=lambda byte: ord(SPELLED[byte]))
TOKENIZERS = {
    "as trained": Tokenizer(merges=MERGES, special_tokens=SPECIAL),
    "other ids": Tokenizer(
        merges=MERGES,
        token_ids=[3 + GPT2_BYTES.index(byte) for byte in range(256)] + list(range(260, 410)),
        special_tokens={"<|end|>": 0, "<|im_start|>": 2, "a b": 1},
    ),
    "no merges": Tokenizer(merges=[]),
}


@pytest.fixture(params=TOKENIZERS)
def tok(request):
    return TOKENIZERS[request.param]


def test_bytes_are_spelled_as_in_gpt2():
    """From openai/gpt-2's encoder.py."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1)]
    printable += range(ord("®"), ord("ÿ") + 1)
    spelled, n = {}, 0
    for byte in range(256):
        spelled[byte] = chr(byte if byte in printable else 256 + n)
        n += byte not in printable
    assert list(SPELLED) == [spelled[byte] for byte in range(256)]
    assert to_text(b" a\n\xff") == "ĠaĊÿ"
    assert from_text("ĠaĊÿ") == b" a\n\xff"
    with pytest.raises(ValueError, match="' ' stands for no byte"):
        from_text("a b")


# ---- Hugging Face ----


@pytest.mark.parametrize("name", TOKENIZERS)
@given(text=texts)
def test_tokenizers_gives_the_same_ids(name, text):
    """Special tokens in the text included."""
    pytest.importorskip("tokenizers")
    tok = TOKENIZERS[name]
    text += "<|end|>" + text + "a b<|im_start|>"
    if name not in THEIRS:
        THEIRS[name] = tok.to_tokenizers()
    ids = tok.encode(text, allowed_special="all")
    assert THEIRS[name].encode(text).ids == ids
    assert THEIRS[name].decode(ids, skip_special_tokens=False) == text


THEIRS = {}


def test_a_saved_folder_reads_back_equal(tok, tmp_path):
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
def test_transformers_loads_the_folder(tmp_path):
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
    said = theirs.apply_chat_template([{"role": "user", "content": "the end"}], tokenize=False)
    assert said == "<|im_start|>the end<|end|>"
    direct = tok.to_transformers(eos_token="<|end|>", chat_template="{{ messages[0].content }}")
    assert direct.encode(text) == ids
    assert direct.eos_token_id == 406
    assert direct.apply_chat_template([{"role": "user", "content": "x"}], tokenize=False) == "x"


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("model_type", ["gpt2", "qwen2"])
def test_a_model_beside_a_tokenizer_may_change_its_ids(model_type, tmp_path):
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


def test_a_model_beside_a_tokenizer_needs_no_transformers(tmp_path, monkeypatch):
    """Then ids are compared with tokenizers only."""
    monkeypatch.setitem(sys.modules, "transformers", None)
    (tmp_path / "config.json").write_text('{"model_type": "qwen2"}')
    TOKENIZERS["as trained"].save_pretrained(tmp_path)
    assert Tokenizer.from_pretrained(tmp_path) == TOKENIZERS["as trained"]


def test_a_text_that_is_not_split_is_one_word(tmp_path):
    """ByteLevel(use_regex=False) alone."""
    (tmp_path / "tokenizer.json").write_bytes(document(pre_tokenizer=BYTE_LEVEL))
    tok = Tokenizer.from_pretrained(tmp_path)
    assert tok.pattern == "none"
    assert tok.encode("abc abc") == [258, 32, 258]


def test_any_expression_can_be_written(tmp_path):
    """If it means the same there. It can't be read back: other words may be found here."""
    tok = Tokenizer(merges=MERGES, pattern=r"\w+|[^\w\s]+|\s+")
    with pytest.raises(ValueError, match="gives other ids than this tokenizer for"):
        tok.save_pretrained(tmp_path)  # Unicode says what \w is, each engine in its own way
    tok = Tokenizer(merges=MERGES, pattern=r" ?[a-z]+|[^a-z]")
    tok.save_pretrained(tmp_path)
    tokenizers = pytest.importorskip("tokenizers")
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert theirs.encode(TEXT).ids == tok.encode(TEXT)
    with pytest.raises(ValueError, match=r"pattern\.Regex: .* can't be represented"):
        Tokenizer.from_pretrained(tmp_path)


@pytest.mark.parametrize("role", ["bos_token", "eos_token", "pad_token", "unk_token"])
def test_a_role_needs_a_special_token(role, tmp_path):
    """Transformers would add the token to the vocabulary without a word."""
    with pytest.raises(ValueError, match=rf"{role} must be a special token .* got '<s>'"):
        TOKENIZERS["as trained"].save_pretrained(tmp_path / "new", **{role: "<s>"})
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("option", "error", "message"),
    [
        ({"chat_template": 5}, TypeError, "chat_template must be a str, got 5"),
        ({"chat_template": "\ud800"}, ValueError, "chat_template has a lone surrogate"),
        ({"model_max_length": 0}, ValueError, r"model_max_length must be in 1\.\."),
        ({"model_max_length": "512"}, TypeError, "model_max_length must be an int, got '512'"),
        ({"eos_token": ["<|end|>"]}, ValueError, "eos_token must be a special token"),
    ],
)
def test_options_are_checked_before_anything_is_written(option, error, message, tmp_path):
    """Of the config and the template too."""
    with pytest.raises(error, match=message):
        TOKENIZERS["as trained"].save_pretrained(tmp_path / "new", **option)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "name", ["special_tokens_map.json", "added_tokens.json", "chat_template.jinja"]
)
def test_what_another_tokenizer_left_is_not_mixed_in(name, tmp_path):
    """transformers 4 would add the tokens of the first two to the vocabulary."""
    tok = TOKENIZERS["as trained"]
    (tmp_path / name).write_text('{"pad_token": "<pad>"}')
    with pytest.raises(ValueError, match=f"{name} belongs to another tokenizer, .* remove it"):
        tok.save_pretrained(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    if name == "chat_template.jinja":
        tok.save_pretrained(tmp_path, chat_template="new")
        assert (tmp_path / name).read_text() == "new"


def test_without_tokenizers_the_reader_here_checks(tok, tmp_path, monkeypatch):
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    tok.save_pretrained(tmp_path)
    assert Tokenizer.from_pretrained(tmp_path) == tok
    with pytest.raises(ImportError):
        tok.to_tokenizers()


@pytest.mark.parametrize("target", ["huggingface", "tiktoken"])
def test_a_consumer_that_gives_other_ids_is_found_out(target, tmp_path, monkeypatch):
    """Before anything is written."""
    pytest.importorskip("tokenizers")
    pytest.importorskip("tiktoken")
    monkeypatch.setattr(f"bpetok.formats.{target}.expression_of", lambda _: r"\s+|\S+")
    tok = TOKENIZERS["as trained"]
    write = tok.to_tiktoken if target == "tiktoken" else tok.save_pretrained
    with pytest.raises(ValueError, match="gives other ids than this tokenizer for"):
        write(tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.fixture(scope="module")
def trained_by_tokenizers():
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
def test_what_tokenizers_trained_gives_the_same_ids_here(trained_by_tokenizers, text):
    """And when it is written again."""
    theirs = trained_by_tokenizers
    if "ours" not in THEIRS:
        from bpetok.formats.huggingface import from_document

        THEIRS["ours"] = from_document(json.loads(theirs.to_str()))
        THEIRS["again"] = THEIRS["ours"].to_tokenizers()
    ours, again = THEIRS["ours"], THEIRS["again"]
    assert ours.special_tokens == {"<pad>": 0, "<|end|>": 1}
    ids = theirs.encode(text + "<|end|> " + text).ids
    assert ours.encode(text + "<|end|> " + text, allowed_special="all") == ids
    assert again.encode(text + "<|end|> " + text).ids == ids
    assert ours.decode(ids) == text + "<|end|> " + text


def document(**changes):
    """A tokenizer.json of three merges and a special token, with changes at dotted places."""
    vocab = {to_text(bytes([byte])): byte for byte in range(256)}
    vocab |= {"ab": 256, "bc": 257, "abc": 258, "<s>": 259}
    content = {
        "version": "1.0",
        "added_tokens": [{"id": 259, "content": "<s>", "special": True}],
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
        "model": {"type": "BPE", "vocab": vocab, "merges": ["a b", "b c", "ab c"]},
    }
    for place, value in changes.items():
        at = content
        *folders, name = place.split("__")
        for folder in folders:
            at = at[int(folder) if folder.isdigit() else folder]
        at[int(name) if name.isdigit() else name] = value
    return json.dumps(content).encode()


def vocab_without(*names, **new):
    vocab = json.loads(document())["model"]["vocab"] | new
    return {name: token_id for name, token_id in vocab.items() if name not in names}


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
TIKTOKENS = next(e for e, name in SPELLINGS.items() if name == "cl100k")
DAMAGED_JSON = {
    "empty": (b"", "line 1 column 1"),
    "cut": (document()[:-40], "line 1 column"),
    "not UTF-8": (b'{"a": "\xff"}', "byte 7 is not UTF-8"),
    "deep": (b"[" * 200_000, "nested too deeply"),
    "array": (b"[]", "the file must be an object, got "),
    "no model": (b"{}", "model must be an object, got None"),
    "twice": (b'{"model": 1, "model": 2}', "a name stands twice"),
    "other model": (document(model__type="Unigram"), "model.type: 'Unigram' can't be"),
    "dropout": (document(model__dropout=0.1), "model.dropout: 0.1 can't be represented"),
    "prefix": (document(model__continuing_subword_prefix="##"), "continuing_subword_prefix"),
    "suffix": (document(model__end_of_word_suffix="</w>"), "end_of_word_suffix: '</w>'"),
    "byte fallback": (document(model__byte_fallback=True), "byte_fallback: True can't be"),
    "normalizer": (document(normalizer={"type": "NFC"}), "normalizer: .*NFC.* never changed"),
    "truncation": (document(truncation={"max_length": 8}), "truncation: .* never cut off"),
    "decoder": (document(decoder={"type": "Metaspace"}), "decoder: .*Metaspace"),
    "no pre-tokenizer": (document(pre_tokenizer=None), "pre_tokenizer: None can't be"),
    "prefix space": (document(pre_tokenizer__add_prefix_space=True), "add_prefix_space: True"),
    "two splits": (
        document(
            pre_tokenizer={
                "type": "Sequence",
                "pretokenizers": [{"type": "Digits"}, {"type": "Split"}, BYTE_LEVEL],
            }
        ),
        "pre_tokenizer: .*must be ByteLevel, or Split and ByteLevel",
    ),
    "other pattern": (
        document(
            pre_tokenizer={
                "type": "Sequence",
                "pretokenizers": [
                    {"type": "Split", "pattern": {"Regex": "x+"}, "behavior": "Isolated"},
                    BYTE_LEVEL,
                ],
            }
        ),
        "pattern.Regex: 'x[+]' can't be represented: another engine .* gpt2, cl100k, o200k",
    ),
    "a name for an expression": (
        document(
            pre_tokenizer={
                "type": "Sequence",
                "pretokenizers": [
                    {"type": "Split", "pattern": {"Regex": "llama3"}, "behavior": "Isolated"},
                    BYTE_LEVEL,
                ],
            }
        ),
        "pattern.Regex: 'llama3' can't be represented",
    ),
    "removed matches": (
        document(
            pre_tokenizer={
                "type": "Sequence",
                "pretokenizers": [
                    {"type": "Split", "pattern": {"Regex": GPT2}, "behavior": "Removed"},
                    BYTE_LEVEL,
                ],
            }
        ),
        "behavior: .*'Removed'.* words are what the expression matches",
    ),
    "split by a string": (
        document(
            pre_tokenizer={
                "type": "Sequence",
                "pretokenizers": [
                    {"type": "Split", "pattern": {"String": " "}, "behavior": "Isolated"},
                    BYTE_LEVEL,
                ],
            }
        ),
        "pattern.Regex must be a string, got None",
    ),
    "split twice": (
        document(
            pre_tokenizer={
                "type": "Sequence",
                "pretokenizers": [
                    {"type": "Split", "pattern": {"Regex": GPT2}, "behavior": "Isolated"},
                    BYTE_LEVEL | {"use_regex": True},
                ],
            }
        ),
        "splits by two expressions",
    ),
    "padding": (document(padding={"strategy": "BatchLongest"}), "padding: .* filled up"),
    "missing byte": (
        document(model__vocab=vocab_without("q")),
        "1 of 256 bytes have no id, first 0x71",
    ),
    "huge id": (document(model__vocab=vocab_without(ab=10**12)), "must be from 0 to 2[*][*]31"),
    "far id": (document(model__vocab=vocab_without(ab=2 * 10**9)), "ids must be less than"),
    "negative id": (document(model__vocab=vocab_without(ab=-1)), "must be from 0 to"),
    "id of text": (document(model__vocab=vocab_without(ab="256")), "vocab.*'256' can't be"),
    "true id": (document(model__vocab=vocab_without(ab=True)), "True can't be represented"),
    "same id": (document(model__vocab=vocab_without(ab=97)), "97, the id of an earlier token"),
    "special's id": (document(added_tokens__0__id=258), "added_tokens gives it the id 258"),
    "special taken": (
        document(added_tokens__0__id=258, model__vocab=vocab_without("<s>")),
        "the id of '<s>' is 258, which another token has",
    ),
    "special stripped": (document(added_tokens__0__lstrip=True), r"added_tokens\[0\].lstrip"),
    "special number": (document(added_tokens__0__content=5), r"added_tokens\[0\].content must be"),
    "no byte": (
        document(model__vocab=vocab_without(**{"a b": 300})),
        r"vocab\['a b'\]: the character ' ' stands for no byte",
    ),
    "no merge": (document(model__vocab=vocab_without(xyz=300)), "no merge makes b'xyz', id 300"),
    "not yet made": (document(model__merges=["ab c", "a b"]), r"merges\[0\] joins b'ab', which"),
    "cyclic": (document(model__merges=["ab ab", "a b"]), r"merges\[0\] joins b'ab'"),
    "not in vocab": (document(model__merges=["a b", "x y"]), r"merges\[1\] makes b'xy'"),
    "three": (document(model__merges=["a b c"]), r"merges\[0\]: 'a b c' can't be"),
    "merge of numbers": (document(model__merges=[[1, 2]]), r"merges\[0\]: \[1, 2\] can't be"),
    "merges object": (document(model__merges={}), "model.merges must be an array"),
    "two kinds of added tokens": (
        document(
            model__vocab=vocab_without("<s>"),
            added_tokens=[
                {"id": 300, "content": "xy", "normalized": True},
                {"id": 301, "content": "yz", "normalized": False},
            ],
        ),
        r"added_tokens: \['yz', 'xy'\] can't be represented: one is \"normalized\"",
    ),
    "two kinds that begin alike": (
        document(
            model__vocab=vocab_without("<s>"),
            added_tokens=[
                {"id": 300, "content": "<t>", "normalized": True},
                {"id": 301, "content": "<t>s", "normalized": False},
            ],
        ),
        r"added_tokens: \['<t>', '<t>s'\] can't be represented",
    ),
    "an interval with a plus": (
        document(
            pre_tokenizer={
                "type": "Sequence",
                "pretokenizers": [
                    {"type": "Split", "pattern": {"Regex": TIKTOKENS}, "behavior": "Isolated"},
                    BYTE_LEVEL,
                ],
            }
        ),
        r"pattern.Regex: .* takes \{1,3\}\+ for any number of repetitions; the pattern 'cl100k'",
    ),
    "two ways": (
        document(model__merges=["b c", "a bc", "a b", "ab c"]),
        None,  # (a, b) comes later than (b, c), so (ab, c) never happens
    ),
    "two ways that happen": (
        document(model__merges=["a b", "b c", "a bc", "ab c"]),
        "the token b'abc', id 258, is made by several merges",
    ),
    "taken whole": (
        document(model__ignore_merges=True, model__merges=["a b", "b c", "a bc"]),
        "the token b'abc', id 258, can't be made by merges but is taken whole",
    ),
}


@pytest.mark.parametrize("name", DAMAGED_JSON)
def test_a_damaged_tokenizer_json_is_refused_by_name_and_place(name, tmp_path):
    """Or what can't be represented; in bounded time."""
    data, message = DAMAGED_JSON[name]
    path = tmp_path / "tokenizer.json"
    path.write_bytes(data)
    started = time.perf_counter()
    if message is None:
        assert Tokenizer.from_pretrained(path).encode("abc") == [258]
        return
    with pytest.raises(ValueError, match=f"tokenizer.json: .*{message}"):
        Tokenizer.from_pretrained(tmp_path)
    assert time.perf_counter() - started < 5


@given(
    start=st.integers(0, len(document())),
    length=st.integers(0, 30),
    new=st.one_of(st.binary(max_size=4), st.sampled_from([b"1e9", b"[[", b'"', b"null", b"-1"])),
)
def test_whatever_happens_to_a_tokenizer_json(tmp_path_factory, start, length, new):
    """A ValueError that names the file, or a tokenizer."""
    path = tmp_path_factory.getbasetemp() / "changed.json"
    path.write_bytes(document()[:start] + new + document()[start + length :])
    message = ""
    try:
        Tokenizer.from_pretrained(path).encode("abc")
    except ValueError as error:
        message = str(error)
    assert message == "" or message.startswith(str(path))


@pytest.mark.parametrize("expression", [*PATTERNS.values(), *SPELLINGS])
def test_expressions_that_are_read_mean_the_same_there(expression, tmp_path):
    """Or are refused: Oniguruma does not read all as the engines that they were written for."""
    tokenizers = pytest.importorskip("tokenizers")
    split = {"Regex": expression}
    content = json.loads(TOKENIZERS["as trained"].to_tokenizers().to_str())
    content["pre_tokenizer"]["pretokenizers"][0]["pattern"] = split
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    if expression == TIKTOKENS:
        with pytest.raises(ValueError, match="can't be represented"):
            Tokenizer.from_pretrained(tmp_path)
        return
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    check_ids_equal(
        Tokenizer.from_pretrained(tmp_path), lambda text: theirs.encode(text).ids, "tokenizers"
    )


def test_a_merge_that_is_listed_twice_comes_as_late_as_there(tmp_path):
    """tokenizers and GPT-2's encoder.py keep the last place in the list."""
    tokenizers = pytest.importorskip("tokenizers")
    content = json.loads(Tokenizer(merges=[]).to_tokenizers().to_str())
    content["model"]["vocab"] |= {"ab": 256, "bc": 257}
    content["model"]["merges"] = [["a", "b"], ["b", "c"], ["a", "b"]]
    theirs = tokenizers.Tokenizer.from_str(json.dumps(content))
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    tok = Tokenizer.from_pretrained(tmp_path)
    assert tok.encode("abcab") == theirs.encode("abcab").ids == [97, 257, 256]


def test_two_kinds_of_added_tokens_that_never_overlap_are_read(tmp_path):
    """As where tokens were added to a tokenizer later."""
    pytest.importorskip("tokenizers")
    theirs = Tokenizer(merges=MERGES, special_tokens=["<|end|>", "<|end|>s"]).to_tokenizers()
    theirs.add_tokens(["<|call|>", "<|call|>s", "  "])
    theirs.save(str(tmp_path / "tokenizer.json"))
    tok = Tokenizer.from_pretrained(tmp_path)
    assert len(tok.special_tokens) == 5
    check_ids_equal(tok, lambda text: theirs.encode(text).ids, "tokenizers")


def test_tokens_around_a_text_are_warned_of(tmp_path):
    """The ids are those without them."""
    processor = {"type": "Sequence", "processors": [{"type": "TemplateProcessing"}]}
    (tmp_path / "tokenizer.json").write_bytes(document(post_processor=processor))
    with pytest.warns(UserWarning, match="add_special_tokens=False"):
        tok = Tokenizer.from_pretrained(tmp_path)
    assert tok.encode("abc") == [258]


# ---- tiktoken ----


@pytest.mark.parametrize("name", TOKENIZERS)
def test_tiktoken_gives_the_same_ids(name, tmp_path):
    """As an object and from a file, there and back."""
    tiktoken = pytest.importorskip("tiktoken")
    load = pytest.importorskip("tiktoken.load")
    tok = TOKENIZERS[name]
    theirs = tok.to_tiktoken("mine")
    assert theirs.name == "mine"
    assert theirs.n_vocab == tok.vocab_size
    text = TEXT * 2 + "".join(tok.special_tokens)
    ids = tok.encode(text, allowed_special="all")
    assert theirs.encode(text, allowed_special="all") == ids
    assert Tokenizer.from_tiktoken(theirs) == tok
    tok.save_tiktoken(tmp_path / "ranks.tiktoken")
    ranks = load.load_tiktoken_bpe(str(tmp_path / "ranks.tiktoken"))
    same = tiktoken.Encoding(
        "x", pat_str=GPT2, mergeable_ranks=ranks, special_tokens=tok.special_tokens
    )
    assert same.encode(text, allowed_special="all") == ids
    read = Tokenizer.from_tiktoken(
        tmp_path / "ranks.tiktoken", pattern="gpt2", special_tokens=tok.special_tokens
    )
    assert read == tok


@pytest.mark.parametrize(
    ("merges", "message"),
    [
        ([(97, 98), (98, 99), (97, 257), (256, 99)], "the ids 258 and 259 both stand for b'abc'"),
        ([(97, 98), (98, 99), (97, 257)], "the token b'abc', id 258, is encoded as"),
    ],
)
def test_merges_that_ranks_can_not_say_are_refused(merges, message, tmp_path):
    """Two tokens of the same bytes; a merge that never happens, as a forbidden one leaves."""
    tok = Tokenizer(merges=merges)
    for method in (tok.to_tiktoken, lambda: tok.save_tiktoken(tmp_path / "ranks")):
        with pytest.raises(ValueError, match=message):
            method()
    assert not (tmp_path / "ranks").exists()


def test_a_merge_that_never_happens_is_no_matter_to_tokenizers(tmp_path):
    """There the merges are in the file, so ids are equal; two tokens of the same bytes are not."""
    tok = Tokenizer(merges=[(97, 98), (98, 99), (97, 257)])
    tok.save_pretrained(tmp_path)
    assert Tokenizer.from_pretrained(tmp_path) == tok
    tok = Tokenizer(merges=[(97, 98), (98, 99), (97, 257), (256, 99)])
    for method in (tok.save_pretrained, tok.save_gpt2):
        with pytest.raises(ValueError, match="the ids 258 and 259 both stand for b'abc'"):
            method(tmp_path / "new")
    tok.save_minbpe(tmp_path / "both")
    assert Tokenizer.from_minbpe(tmp_path / "both.model") == tok


def test_ids_that_are_no_ranks_are_refused():
    """Two merges with their ids exchanged."""
    tok = Tokenizer(merges=[(97, 98), (98, 99)], token_ids=[*range(256), 257, 256])
    with pytest.raises(ValueError, match="the id 256 belongs to a later merge than 257"):
        tok.to_tiktoken()
    with pytest.raises(ValueError, match="the ids must be the bytes 0 to 255"):
        tok.save_minbpe("nowhere")


def test_a_special_token_that_is_spelled_as_another_is_refused(tmp_path):
    """Both would get one id."""
    tok = Tokenizer(merges=[(97, 98)], special_tokens=["ab"])
    for method in (tok.save_pretrained, tok.save_gpt2):
        with pytest.raises(ValueError, match="'ab' is spelled as the ordinary token of id 256"):
            method(tmp_path / "new")
    assert tok.to_tiktoken().encode("ab", allowed_special="all") == [257]


def ranks_file(*lines, without=()):
    rows = [(bytes([byte]), byte) for byte in range(256) if byte not in without]
    return b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in rows) + b"".join(
        line + b"\n" for line in lines
    )


DAMAGED_RANKS = {
    "empty": (b"", "256 of 256 bytes have no id"),
    "missing": (ranks_file(without=[113]), "1 of 256 bytes have no id, first 0x71"),
    "base64": (ranks_file(b"!!!! 256"), r"line 257: b'!!!!' is no base64"),
    "cut": (ranks_file(b"YWI="), "line 257: b'YWI=' is not a token and its rank"),
    "huge": (ranks_file(b"YWI= 1000000000000"), "line 257"),
    "large": (ranks_file(b"YWI= 2000000000"), "ids must be less than"),
    "token again": (ranks_file(b"YQ== 256"), "line 257: .* this token stands there before"),
    "rank again": (ranks_file(b"YWI= 97"), "line 257: .* this rank stands there before"),
    "no parts": (ranks_file(b"YWJj 256"), "the token b'abc', rank 256, comes to 3 parts"),
    "long": (ranks_file(base64.b64encode(b"a" * 10_000) + b" 256"), "10000 bytes is too long"),
    "negative": (ranks_file(b"YWI= -1"), "line 257"),
}


@pytest.mark.parametrize("name", DAMAGED_RANKS)
def test_a_damaged_file_of_ranks_is_refused_by_name_and_line(name, tmp_path):
    """In bounded time."""
    data, message = DAMAGED_RANKS[name]
    (tmp_path / "ranks").write_bytes(data)
    started = time.perf_counter()
    with pytest.raises(ValueError, match=f"ranks: .*{message}"):
        Tokenizer.from_tiktoken(tmp_path / "ranks", pattern="gpt2")
    assert time.perf_counter() - started < 5


def test_a_file_of_ranks_needs_a_pattern(tmp_path):
    """An Encoding has its own, and its own special tokens."""
    (tmp_path / "ranks").write_bytes(ranks_file(b"YWI= 256"))
    with pytest.raises(ValueError, match="pattern must be given"):
        Tokenizer.from_tiktoken(tmp_path / "ranks")
    tiktoken = pytest.importorskip("tiktoken")
    ranks = {bytes([byte]): byte for byte in range(256)}
    other = tiktoken.Encoding("x", pat_str="x+", mergeable_ranks=ranks, special_tokens={})
    with pytest.raises(ValueError, match=r"pattern must be one of .*, got 'x\+'"):
        Tokenizer.from_tiktoken(other)
    named = tiktoken.Encoding("x", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={})
    with pytest.raises(ValueError, match=r"pattern must be one of .*, got 'gpt2'"):
        Tokenizer.from_tiktoken(named)
    assert Tokenizer.from_tiktoken(other, pattern="gpt2") == Tokenizer(merges=[])
    with pytest.raises(ValueError, match="special_tokens must not be given"):
        Tokenizer.from_tiktoken(other, special_tokens={"<s>": 256})


def test_special_tokens_that_begin_alike_are_compared():
    """tiktoken finds one of them, not always the longest."""
    tiktoken = pytest.importorskip("tiktoken")
    names = ["<a>", "<a>b", "<a>bc"]
    ranks = {bytes([byte]): byte for byte in range(256)}
    special = {name: 256 + i for i, name in enumerate(names)}
    theirs = tiktoken.Encoding("x", pat_str=GPT2, mergeable_ranks=ranks, special_tokens=special)
    found = [theirs.encode(name, allowed_special="all") for name in names]
    assert found != [[256], [257], [258]]
    with pytest.raises(ValueError, match=r"begins with '<a>.*', which this Encoding finds"):
        Tokenizer.from_tiktoken(theirs)
    for others in ([], [f"<{i}>" for i in range(100)]):
        tok = Tokenizer(merges=[], special_tokens=[*others, *names])
        with pytest.raises(ValueError, match=r"gives other ids than this tokenizer for '<a>bc?'"):
            tok.to_tiktoken()


@pytest.mark.parametrize("installed", [True, False])
def test_a_file_of_ranks_is_checked_before_it_is_written(installed, tmp_path, monkeypatch):
    """With tiktoken, or with the reader here."""
    if installed:
        pytest.importorskip("tiktoken")
    else:
        monkeypatch.setitem(sys.modules, "tiktoken", None)
    parse = tiktoken_format.parse_ranks
    tok = TOKENIZERS["as trained"]
    tok.save_tiktoken(tmp_path / "right")
    last = tok.token_bytes(405)
    monkeypatch.setattr(
        tiktoken_format,
        "parse_ranks",
        lambda data: {token: rank for token, rank in parse(data).items() if token != last},
    )
    consumer = "tiktoken" if installed else "the file"
    with pytest.raises(ValueError, match=f"{consumer} gives other ids than this tokenizer for"):
        tok.save_tiktoken(tmp_path / "wrong")
    assert [path.name for path in tmp_path.iterdir()] == ["right"]


# ---- GPT-2 and minbpe ----


@pytest.mark.parametrize("installed", [True, False])
def test_gpt2_files_are_checked_before_they_are_written(installed, tmp_path, monkeypatch):
    """With tokenizers, or with the reader here."""
    if installed:
        pytest.importorskip("tokenizers")
    else:
        monkeypatch.setitem(sys.modules, "tokenizers", None)
    tok = TOKENIZERS["as trained"]
    tok.save_gpt2(tmp_path / "right")
    exchanged = [(token_id ^ 1, token) for token_id, token in gpt2.ordinary_tokens(tok)]
    monkeypatch.setattr(gpt2, "ordinary_tokens", lambda _: exchanged)
    consumer = "tokenizers" if installed else "the files"
    with pytest.raises(ValueError, match=rf"{consumer} gives? other ids than this tokenizer for"):
        tok.save_gpt2(tmp_path / "wrong")
    assert not (tmp_path / "wrong").exists()


def test_merges_that_are_cut_off_are_refused(tmp_path):
    """At the end of any line: what no merge makes is no special token if it is a word."""
    tok = TOKENIZERS["as trained"]
    tok.save_gpt2(tmp_path)
    vocab, merges = tmp_path / "vocab.json", tmp_path / "merges.txt"
    lines = merges.read_bytes().splitlines(keepends=True)
    for n in range(len(lines)):
        merges.write_bytes(b"".join(lines[:n]))
        with pytest.raises(ValueError, match=r"merges.txt: no merge makes .*: merges are missing"):
            Tokenizer.from_gpt2(vocab, merges)


def test_special_tokens_of_gpt2_files_may_be_named(tmp_path):
    """As they must be where they could be ordinary tokens."""
    tok = Tokenizer(merges=MERGES, special_tokens=["END", "<|end|>"])
    tok.save_gpt2(tmp_path)
    vocab, merges = tmp_path / "vocab.json", tmp_path / "merges.txt"
    with pytest.raises(ValueError, match=r"no merge makes b'END', id 406: .* special token"):
        Tokenizer.from_gpt2(vocab, merges)
    with pytest.raises(ValueError, match=r"no merge makes b'<\|end\|>', id 407"):
        Tokenizer.from_gpt2(vocab, merges, special_tokens=["END"])
    with pytest.raises(ValueError, match="the special token '<s>' is not in the vocabulary"):
        Tokenizer.from_gpt2(vocab, merges, special_tokens=["END", "<|end|>", "<s>"])
    assert Tokenizer.from_gpt2(vocab, merges, special_tokens=iter(["END", "<|end|>"])) == tok


def test_gpt2_files_read_back_equal(tok, tmp_path):
    """With our reader and with tokenizers' BPE; a file starts and ends as encoder.py expects."""
    tok.save_gpt2(tmp_path)
    vocab, merges = tmp_path / "vocab.json", tmp_path / "merges.txt"
    assert Tokenizer.from_gpt2(vocab, merges) == tok
    assert merges.read_text().startswith("#version: 0.2\n")
    rows = merges.read_text(encoding="utf-8").split("\n")[1:-1]  # as encoder.py cuts them
    assert len(rows) == len(tok.merges)
    tokenizers = pytest.importorskip("tokenizers")
    model = tokenizers.models.BPE.from_file(str(vocab), str(merges))
    theirs = tokenizers.Tokenizer(model)
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    assert theirs.encode(TEXT).ids == tok.encode(TEXT)


@pytest.mark.parametrize(
    ("vocab", "merges", "message"),
    [
        (b"[]", b"", "the vocabulary must be an object"),
        (b"{", b"", "line 1 column"),
        (b'{"a": 1.5}', b"", "the id of 'a' must be an integer"),
        (json.dumps(vocab_without("q")).encode(), b"a b\nb c\nab c\n", "1 of 256 bytes"),
        (json.dumps(vocab_without()).encode(), b"a b\na b c\n", "line 2 of the merges"),
        (json.dumps(vocab_without()).encode(), b"a \xff\n", "byte 2 of the merges is not UTF-8"),
        (json.dumps(vocab_without()).encode(), b"a \xe4\xbd\xa0\n", "line 1 .*stands for no byte"),
        (json.dumps(vocab_without("ab")).encode(), b"a b\n", r"merges\[0\] makes b'ab'"),
    ],
)
def test_damaged_gpt2_files_are_refused(vocab, merges, message, tmp_path):
    """By name and place."""
    (tmp_path / "vocab.json").write_bytes(vocab)
    (tmp_path / "merges.txt").write_bytes(merges)
    with pytest.raises(ValueError, match=f"vocab.json, .*merges.txt: .*{message}"):
        Tokenizer.from_gpt2(tmp_path / "vocab.json", tmp_path / "merges.txt")


def load_as_minbpe(path):
    """As minbpe's base.py reads a model: pattern, special tokens, merges."""
    merges, special_tokens, idx = {}, {}, 256
    with path.open(encoding="utf-8") as f:
        assert f.readline().strip() == "minbpe v1"
        pattern = f.readline().strip()
        for _ in range(int(f.readline().strip())):
            special, special_idx = f.readline().strip().split()
            special_tokens[special] = int(special_idx)
        for line in f:
            idx1, idx2 = map(int, line.split())
            merges[(idx1, idx2)] = idx
            idx += 1
    return pattern, special_tokens, merges


def test_minbpe_files_say_all_there_is_to_say(tmp_path):
    """Read as minbpe does, and back here; the vocabulary is for people."""
    tok = Tokenizer(merges=MERGES, special_tokens=["<|end|>", "Ωδ"])
    tok.save_minbpe(tmp_path / "tok")
    pattern, special_tokens, merges = load_as_minbpe(tmp_path / "tok.model")
    assert pattern == GPT2
    assert special_tokens == tok.special_tokens
    assert list(merges) == MERGES
    assert Tokenizer.from_minbpe(tmp_path / "tok.model") == tok
    rows = (tmp_path / "tok.vocab").read_text(encoding="utf-8").splitlines()
    assert "[a] 97" in rows
    assert "[\\u000a] 10" in rows
    assert "[Ωδ] 407" in rows
    tok = Tokenizer(merges=[], special_tokens=["<a>", "<b>", "<a>b"])
    tok.save_minbpe(tmp_path / "tok")
    names = list(load_as_minbpe(tmp_path / "tok.model")[1])
    assert names.index("<a>b") < names.index("<a>")  # the first that fits is taken
    assert Tokenizer.from_minbpe(tmp_path / "tok.model") == tok
    with pytest.raises(ValueError, match="'a b' holds white space"):
        Tokenizer(merges=[], special_tokens=["a b"]).save_minbpe(tmp_path / "no")


def test_a_basic_minbpe_model_has_no_words(tmp_path):
    """As minbpe's basic.py writes and encodes: one pattern line that is empty, no split at all."""
    text = "the the  the\n\nthe the"
    merges, _ = reference.learn_merges({text.encode(): 1}, 9)
    lines = ["minbpe v1", "", "0", *(f"{left} {right}" for left, right in merges)]
    (tmp_path / "basic.model").write_text("\n".join(lines) + "\n")
    tok = Tokenizer.from_minbpe(tmp_path / "basic.model")
    assert any(b"e " in token or b" t" in token for token in tok.vocab)
    for some in (text, "the\nthe", "  the<|end|> thé"):
        assert tok.encode(some) == reference.encode_word(some.encode(), merges)
    tok.save_minbpe(tmp_path / "regex")
    assert Tokenizer.from_minbpe(tmp_path / "regex.model") == tok


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "line 1 must be 'minbpe v1'"),
        (b"minbpe v1\n", "line 2: the file ends|line 3"),
        (b"minbpe v1\n\n1\n<s> 256\n", "line 3: 1 special tokens, .* a BasicTokenizer's file"),
        (b"minbpe v1\nx+\n0\n", "pattern must be one of"),
        (b"minbpe v1\ngpt2\n0\n", "pattern must be one of .* got 'gpt2'"),
        (b"minbpe v1\nx+\n999999\n", "line 3: 999999 special tokens"),
        (b"minbpe v1\nx+\nmany\n", "line 3: 'many' is not a number"),
        (b"minbpe v1\nx+\n1\n<s>\n", "line 4: '<s>' is not a new special token"),
        (f"minbpe v1\n{GPT2}\n0\n97 300\n".encode(), r"merges\[0\] must join ids"),
        (f"minbpe v1\n{GPT2}\n0\n97 98 99\n".encode(), "line 4: '97 98 99' is not a pair"),
        (f"minbpe v1\n{GPT2}\n0\n97 -1\n".encode(), "line 4"),
        (f"minbpe v1\n{GPT2}\n0\n97 98\n99 10".encode(), "line 5: the file is cut off"),
        (f"minbpe v1\n{GPT2}\n1\n<s>\t 256\t3\n".encode(), "line 4: .* is not a new special"),
        (
            f"minbpe v1\n{GPT2}\n2\n<a> 256\n<a>b 257\n".encode(),
            "line 5: the special token '<a>b' begins with '<a>', which comes first",
        ),
        (f"minbpe v1\n{GPT2}\n1\n<s> 97\n".encode(), "'<s>' is 97, which another token has"),
        (b"minbpe v1\n\xff", "byte 10 is not UTF-8"),
    ],
)
def test_a_damaged_minbpe_model_is_refused(data, message, tmp_path):
    """By name and line."""
    (tmp_path / "tok.model").write_bytes(data)
    with pytest.raises(ValueError, match=f"tok.model: .*({message})"):
        Tokenizer.from_minbpe(tmp_path / "tok.model")


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    """Memory is bounded for every format."""
    path = tmp_path / "file"
    path.write_bytes(b" " * 1001)
    for name, read in {
        "huggingface": Tokenizer.from_pretrained,
        "tiktoken": lambda path: Tokenizer.from_tiktoken(path, pattern="gpt2"),
        "gpt2": lambda path: Tokenizer.from_gpt2(path, path),
        "minbpe": Tokenizer.from_minbpe,
    }.items():
        monkeypatch.setattr(f"bpetok.formats.{name}.MAX_FILE_BYTES", 1000)
        with pytest.raises(ValueError, match="file: must be at most 1000 bytes long"):
            read(path)


def test_more_values_than_any_tokenizer_has_are_not_parsed(tmp_path, monkeypatch):
    """A small file may take much memory: each list of `[],[],[]` takes twenty times its text."""
    tok = TOKENIZERS["as trained"]
    tok.save(tmp_path / "tok.json")
    tok.save_pretrained(tmp_path)
    tok.save_gpt2(tmp_path)
    monkeypatch.setattr("bpetok.formats.native.MAX_COMMAS", 100)
    for read in (
        lambda: Tokenizer.load(tmp_path / "tok.json"),
        lambda: Tokenizer.from_pretrained(tmp_path),
        lambda: Tokenizer.from_gpt2(tmp_path / "vocab.json", tmp_path / "merges.txt"),
    ):
        with pytest.raises(ValueError, match=r"json.*: it has \d+ commas, more values than 100"):
            read()
