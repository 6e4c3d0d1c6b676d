r"""A tokenizer.json in the shape of each family of models: it is read, with equal ids.

The vocabulary is small and the same for all; normalizer, pre-tokenizer, flags of added tokens,
post-processor and options of the model are those of the published files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from bpetok.base.byte_characters import CHARACTERS, to_text
from bpetok.formats.checks import check_ids_equal
from bpetok.patterns.builtin import CL100K, LLAMA3, O200K, QWEN2, QWEN35, SPELLINGS, TEKKEN
from bpetok.tokenizer import Tokenizer
from samples import MERGES

Json = dict[str, Any]


def byte_level(use_regex: bool = True, space: bool = False, trim: bool = True) -> Json:
    """Return the step that writes bytes as characters."""
    return {
        "type": "ByteLevel",
        "add_prefix_space": space,
        "trim_offsets": trim,
        "use_regex": use_regex,
    }


def split(expression: str, behavior: str = "Isolated", *, invert: bool = False) -> Json:
    """Return a step that splits by an expression."""
    pattern = {"Regex": expression}
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def digits(individual: bool = True) -> Json:
    """Return the step that splits off digits."""
    return {"type": "Digits", "individual_digits": individual}


def steps(*rows: Json) -> Json:
    """Return a pre-tokenizer of several steps."""
    return {"type": "Sequence", "pretokenizers": list(rows)}


def normalizers(*names: str) -> Json:
    """Return a normalizer of several steps."""
    return {"type": "Sequence", "normalizers": [{"type": name} for name in names]}


def sequence_of(*rows: Json) -> Json:
    """Return a normalizer of several steps that have options."""
    return {"type": "Sequence", "normalizers": list(rows)}


def replace(expression: str, content: str) -> Json:
    """Return a step that replaces what an expression matches."""
    return {"type": "Replace", "pattern": {"Regex": expression}, "content": content}


def added(content: str, **flags: bool) -> Json:
    """Return an added token, special and matched as it is unless said otherwise."""
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"content": content, **plain, "special": True, **flags}


def template(*single: str, pair: Iterable[str] = ()) -> Json:
    """Return a post-processor that puts tokens around a text, "A"."""

    def pieces(names: Iterable[str]) -> list[Json]:
        return [
            {"Sequence": {"id": name, "type_id": 0}}
            if name in ("A", "B")
            else {"SpecialToken": {"id": name, "type_id": 0}}
            for name in names
        ]

    return {
        "type": "TemplateProcessing",
        "single": pieces(single),
        "pair": pieces(pair or (*single, "B")),
        "special_tokens": {},  # filled in when ids are known
    }


def both(*processors: Json) -> Json:
    """Return a post-processor of several."""
    return {"type": "Sequence", "processors": list(processors)}


GPT2 = byte_level()
AFTER_SPLIT = byte_level(use_regex=False, trim=False)
BLOOM = split(" ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+")
CODE = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
TIKTOKENS_CL100K = next(e for e, name in SPELLINGS.items() if name == "cl100k")
LETTERS = (
    "A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af"
    "\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5"
    "\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u1c90-\u1cba\u1d00-\u1d2b"
    "\u1e00-\u1f15\u1f18-\u1f1d\u2c00-\u2c7b\ua640-\ua66d\ufb00-\ufb06\uff21-\uff3a\uff41-\uff5a"
    "\U00010400-\U0001044f\U0001e900-\U0001e943"
)
CJK = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
DEEPSEEK_V3 = (
    split("\\p{N}{1,3}"),
    split("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"),
    split(
        "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
        "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"
    ),
)
SPACES = [added(" " * n, special=False, normalized=True) for n in (4, 3, 2)]
END = added("<|endoftext|>")


def family(
    pre_tokenizer: Json,
    *tokens: Json,
    normalizer: Json | None = None,
    post: Json | None = None,
    decoder: Json | None = None,
    first: bool = False,
    **changes: Any,
) -> Json:
    """Return a tokenizer.json.

    Parameters
    ----------
    first : bool
        Whether the added tokens come before all others.
    **changes
        Of the model; "vocab" adds to the vocabulary, "without" takes away.
    """
    gone = set(changes.pop("without", ()))
    names = [character for character in CHARACTERS if character not in gone]
    merges = []
    for left, right in Tokenizer(merges=MERGES).merges:
        name = to_text(left + right)
        if not gone.intersection(name):
            names.append(name)
            merges.append(f"{to_text(left)} {to_text(right)}")
    special = [token["content"] for token in tokens or (END,)]
    names = [*special, *names] if first else [*names, *special]
    names += changes.pop("vocab", ())
    vocab = {name: i for i, name in enumerate(dict.fromkeys(names))}
    rows = [{"id": vocab[token["content"]], **token} for token in tokens or (END,)]
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
        "vocab": vocab,
        "merges": merges,
    } | changes
    for processor in [post, *(post or {}).get("processors", ())]:
        if processor is not None and processor["type"] == "TemplateProcessing":
            pieces = [*processor["single"], *processor["pair"]]
            names_used = {p["SpecialToken"]["id"] for p in pieces if "SpecialToken" in p}
            processor["special_tokens"] = {
                name: {"id": name, "ids": [vocab[name]], "tokens": [name]} for name in names_used
            }
        elif processor is not None and processor["type"] == "RobertaProcessing":
            for role in ("sep", "cls"):
                processor[role] = [processor[role], vocab[processor[role]]]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": rows,
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": post,
        "decoder": decoder or byte_level(),
        "model": model,
    }


def after_split(expression: str, *tokens: Json, invert: bool = False, **options: Any) -> Json:
    """Return a family that splits by one expression."""
    behavior = "Removed" if invert else "Isolated"
    pre_tokenizer = steps(split(expression, behavior, invert=invert), AFTER_SPLIT)
    return family(pre_tokenizer, *tokens, **options)


FAMILIES: dict[str, Json] = {
    "GPT-2": family(GPT2, added("<|endoftext|>", normalized=True), post=byte_level(trim=False)),
    "GPT-2, an old file": family(
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
        post={"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False},
        continuing_subword_prefix="",
        end_of_word_suffix="",
        unk_token="<|endoftext|>",
    ),
    "RoBERTa, BART, Longformer": family(
        GPT2,
        *(added(name, normalized=True) for name in ("<s>", "<pad>", "</s>", "<unk>")),
        added("<mask>", lstrip=True),
        post={
            "type": "RobertaProcessing",
            "sep": "</s>",
            "cls": "<s>",
            "trim_offsets": True,
            "add_prefix_space": False,
        },
        first=True,
        vocab=["madeupword0000", "madeupword0001"],
    ),
    "Blenderbot, LayoutLMv3": family(
        byte_level(space=True),
        *(added(name, normalized=True) for name in ("<s>", "<pad>", "</s>", "<unk>")),
        added("<mask>", lstrip=True),
        post={
            "type": "RobertaProcessing",
            "sep": "</s>",
            "cls": "<s>",
            "trim_offsets": True,
            "add_prefix_space": True,
        },
        first=True,
    ),
    "OPT": family(
        GPT2,
        *(added(name, normalized=True) for name in ("<s>", "<pad>", "</s>", "<unk>")),
        post=template("</s>", "A"),
        first=True,
        unk_token="</s>",
    ),
    "DeBERTa": family(
        GPT2,
        *(added(name) for name in ("[CLS]", "[PAD]", "[SEP]", "[UNK]")),
        added("[MASK]", lstrip=True, normalized=True),
        post=template("[CLS]", "A", "[SEP]", pair=["[CLS]", "A", "[SEP]", "B", "[SEP]"]),
        unk_token="[UNK]",
    ),
    "GPT-J": family(
        GPT2, END, *(added(f"<|extratoken_{i}|>", special=False, normalized=True) for i in (1, 10))
    ),
    "CodeGen, Phi-1, Phi-2": family(GPT2, END, *SPACES, added("\t\t", special=False)),
    "GPT-NeoX, Pythia, Dolly, MPT, OLMo 1": family(
        GPT2,
        END,
        added("<|padding|>"),
        *SPACES,
        added("|||EMAIL_ADDRESS|||", special=False, normalized=True),
        normalizer={"type": "NFC"},
        first=True,
    ),
    "ModernBERT": family(
        GPT2,
        added("|||IP_ADDRESS|||", special=False, normalized=True),
        *SPACES,
        added("[CLS]"),
        added("[SEP]"),
        added("[MASK]", lstrip=True),
        normalizer={"type": "NFC"},
        post=template("[CLS]", "A", "[SEP]", pair=["[CLS]", "A", "[SEP]", "B", "[SEP]"]),
    ),
    "BLOOM": family(
        steps(BLOOM, byte_level(use_regex=False)),
        *(added(name) for name in ("<unk>", "<s>", "</s>", "<pad>")),
        post=byte_level(),
        first=True,
    ),
    "Poro, Viking": family(steps(BLOOM, digits(), byte_level(use_regex=False))),
    "Llama 3, SmolLM3, Falcon 3": after_split(
        LLAMA3,
        added("<|begin_of_text|>"),
        added("<|eot_id|>"),
        post=both(byte_level(), template("<|begin_of_text|>", "A")),
        ignore_merges=True,
        vocab=["xyz", "\u0120andy"],
    ),
    "Llama 4, Phi-4-mini": after_split(O200K, added("<|begin_of_text|>"), post=byte_level()),
    "Qwen 2, 2.5": after_split(
        QWEN2,
        END,
        added("<|im_start|>"),
        added("<tool_call>", special=False),
        normalizer={"type": "NFC"},
        post=byte_level(use_regex=False, trim=False),
        continuing_subword_prefix="",
        end_of_word_suffix="",
    ),
    "Qwen 3.5": after_split(QWEN35, added("<think>", special=False), normalizer={"type": "NFC"}),
    "GPT-4, DBRX": after_split(LLAMA3, added("<|endofprompt|>"), invert=True),
    "cl100k as tiktoken spells it": after_split(TIKTOKENS_CL100K),
    "cl100k": after_split(CL100K),
    "Phi-4": after_split(
        LLAMA3,
        added("<|im_start|>", lstrip=True, rstrip=True),
        added("<|im_sep|>", lstrip=True, rstrip=True),
        added("<|dummy_0|>", rstrip=True),
    ),
    "gpt-oss": after_split(
        O200K,
        added("<|startoftext|>"),
        added("<|channel|>"),
        added("<|call|>"),
    ),
    "Mistral Nemo, Pixtral": family(
        steps(split(TEKKEN), byte_level(use_regex=False)),
        *(added(name) for name in ("<unk>", "<s>", "</s>", "[INST]", "[/INST]")),
        post=template("<s>", "A"),
        first=True,
    ),
    "DeepSeek V3, R1": family(
        steps(*DEEPSEEK_V3, byte_level(use_regex=False)),
        added("<\uff5cbegin\u2581of\u2581sentence\uff5c>", normalized=True),
        added("<\uff5cend\u2581of\u2581sentence\uff5c>", normalized=True),
        added("<\uff5cUser\uff5c>", special=False, normalized=True),
        added("<think>", special=False, normalized=True),
        normalizer=normalizers(),
        post=both(
            byte_level(trim=False), template("<\uff5cbegin\u2581of\u2581sentence\uff5c>", "A")
        ),
    ),
    "DeepSeek LLM, V2": family(
        steps(
            split("[\r\n]"),
            split(f"\\s?[{LETTERS}]+"),
            split("\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+"),
            split("\\s+$"),
            split(CJK),
            digits(),
            byte_level(use_regex=False),
        ),
        added("<\uff5cbegin\u2581of\u2581sentence\uff5c>", normalized=True),
        normalizer=normalizers(),
    ),
    "DeepSeek Coder": family(
        steps(
            split("[\r\n]"),
            split("\\s?\\p{L}+"),
            split("\\s?\\p{P}+"),
            split(CJK),
            digits(),
            byte_level(use_regex=False),
        ),
        added("<\uff5cfim\u2581hole\uff5c>", special=False, normalized=True),
        normalizer=normalizers(),
    ),
    "SmolLM, StarCoder, Granite Code": family(
        steps(digits(), GPT2), END, added("<fim_prefix>"), added("<repo_name>"), first=True
    ),
    "Command R, Aya": family(
        steps(digits(), GPT2),
        added("<PAD>"),
        added("<BOS_TOKEN>"),
        added("<|START_OF_TURN_TOKEN|>", special=False),
        normalizer={"type": "NFC"},
        post=template("<BOS_TOKEN>", "A"),
        first=True,
    ),
    "Tiny Aya": family(
        steps(
            split("\\d{1,3}(?=(?:\\d{3})*\\b)"),
            split(
                "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*"
                "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
                "|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+"
                "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
                "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
            ),
            byte_level(use_regex=False),
        ),
        normalizer={"type": "NFC"},
    ),
    "Falcon": family(
        steps(
            {"type": "Punctuation", "behavior": "Contiguous"},
            GPT2,
            digits(individual=False),
            split("[0-9][0-9][0-9]"),
        ),
        added(">>TITLE<<"),
        added(">>ABSTRACT<<"),
        first=True,
    ),
    "Whisper": family(
        GPT2,
        END,
        added("<|startoftranscript|>"),
        added("<|notimestamps|>"),
        added("<|0.00|>", special=False),
        added("<|0.02|>", special=False),
        post=template("<|startoftranscript|>", "<|notimestamps|>", "A", "<|endoftext|>"),
        vocab=[""],
        unk_token="<|endoftext|>",
    ),
    "Claude": family(
        GPT2,
        *(added(name) for name in ("<EOT>", "<META>")),
        normalizer={"type": "NFKC"},
        first=True,
    ),
    "GLM-4": after_split(
        f"{CODE}|[^\\r\\n\\p{{L}}\\p{{N}}]?\\p{{L}}+|\\p{{N}}{{1,3}}"
        "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
        added("[gMASK]"),
        added("<|user|>"),
        added("<think>", special=False),
    ),
    "Seed Coder, Seed OSS": after_split(
        f"{CODE}|[^\r\n\\p{{L}}\\p{{N}}]?\\p{{L}}+|\\p{{L}}|\\p{{N}}"
        "| ?[^\\s\\p{L}\\p{N}\r\n]+|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
        added("<seed:bos>"),
        post=template("<seed:bos>", "A"),
    ),
    "Ling, Bailing": after_split(
        "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}"
        "| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*"
        "|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"
    ),
    "EXAONE 3": family(steps(digits(), GPT2), added("[|endofturn|]"), normalizer={"type": "NFKC"}),
    "K-EXAONE": after_split(
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+"
        "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
        normalizer={"type": "NFC"},
    ),
    "Youtu": family(
        steps(
            split(
                "[\uac00-\ud7a3\u3131-\u318e]+"
                "|[\uff01\u2026\u201c\u201d\u2018\u2019\u2014\uff1a\uff1b\uff0c\u3001-\u303f\ufe30-\ufe4f]+|[\u3105-\u312f]+"
                "|[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
            ),
            split(O200K),
            byte_level(use_regex=False),
        )
    ),
    "AFM": family(
        steps(
            split("\\p{N}+"),
            split("(?=(\\d{3})+(?!\\d))"),
            split("[\u4e00-\u9fff\u3400-\u4dbf\u3040-\u309f\uac00-\ud7af]+"),
            split(LLAMA3),
            byte_level(use_regex=False),
        )
    ),
    "SuperBPE": family(
        steps(
            split("\\p{N}+"),
            split("(?=(\\d{3})+(?!\\d))"),
            byte_level(use_regex=False),
        )
    ),
    "Chameleon": family(
        steps(
            split("<sentinel:[0-9]+>"),
            split("(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z"),
            split("([\t\n]|    |  )"),
            digits(),
            {"type": "Punctuation", "behavior": "Isolated"},
            GPT2,
        ),
        added("<s>", normalized=True),
        post=template("<s>", "A"),
        first=True,
    ),
    "Galactica": family(
        steps(
            {
                "type": "Split",
                "pattern": {"String": "SPL1T-TH1S-Pl3A5E"},
                "behavior": "Removed",
                "invert": False,
            },
            digits(),
            {"type": "Punctuation", "behavior": "Isolated"},
            split("\n"),
            byte_level(),
        ),
        added("<s>", normalized=True),
        added("[START_REF]", normalized=True),
        added("[END_REF]", normalized=True),
        first=True,
    ),
    "HPLT's of two languages": family(
        steps(split(TEKKEN), byte_level(use_regex=False)),
        *(added(name) for name in ("<unk>", "<s>", "<mask>")),
        normalizer=sequence_of(
            {"type": "Prepend", "prepend": " "},
            {"type": "NFC"},
            replace(r"\n", "\n "),
            replace(r" *\n", "\n"),
        ),
        post=template("<s>", "A"),
        decoder={
            "type": "Sequence",
            "decoders": [
                byte_level(),
                {"type": "Strip", "content": " ", "start": 1, "stop": 0},
                {"type": "Replace", "pattern": {"String": "\n "}, "content": "\n"},
            ],
        },
        first=True,
        ignore_merges=True,
        unk_token="<unk>",
    ),
    "scripts after splits": family(
        steps(
            split("\\d+([._]\\d+)*"),
            {"type": "Punctuation", "behavior": "Isolated"},
            {"type": "UnicodeScripts"},
            byte_level(),
        ),
        added("<mask>"),
        normalizer=sequence_of(
            {"type": "NFC"}, replace(r"\r\n?", "\n"), replace(r"^[ \t]+", ""), replace(r"\s+$", "")
        ),
        byte_fallback=True,
        fuse_unk=True,
        unk_token="<mask>",
    ),
    "white space that is a token after one that takes it": after_split(
        LLAMA3,
        added("<|im_start|>", rstrip=True),
        added("<mask>", lstrip=True, rstrip=True),
        added("\n", special=False),
        added("  ", special=False),
    ),
    "special tokens in lower case": family(
        GPT2,
        added("<MASK>", normalized=True),
        added("<Think>", special=False, normalized=True),
        normalizer=sequence_of(
            {"type": "Strip", "strip_left": True, "strip_right": True}, {"type": "Lowercase"}
        ),
    ),
    "trained by a script, no alphabet": family(
        GPT2, added("<unk>"), added("<pad>"), unk_token="<unk>", without=["z", "\u0100", "Q"]
    ),
    "trained by a script, unknowns fused": family(
        GPT2,
        added("<unk>"),
        unk_token="<unk>",
        fuse_unk=True,
        without=["z", "\u0100", "Q", "\u00c3"],
    ),
    "a decoder in a sequence": family(
        GPT2, decoder={"type": "Sequence", "decoders": [byte_level()]}
    ),
    "lower case, accents left out": family(
        GPT2, added("[CLS]"), normalizer=normalizers("NFD", "Lowercase", "StripAccents")
    ),
}


@pytest.mark.filterwarnings("ignore:pattern .* can't be compiled to a scanner:UserWarning")
@pytest.mark.parametrize("name", FAMILIES)
def test_the_file_of_a_family_is_read_and_written_back(name: str, tmp_path: Path) -> None:
    """Equal ids, also with the tokens around a text, and equal texts of them."""
    tokenizers = pytest.importorskip("tokenizers")
    (tmp_path / "tokenizer.json").write_text(json.dumps(FAMILIES[name]), encoding="utf-8")
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    tok = Tokenizer.from_pretrained(tmp_path)
    check_ids_equal(tok, lambda text: theirs.encode(text, add_special_tokens=False).ids, "theirs")
    tok.save_pretrained(tmp_path / "again")
    again = tokenizers.Tokenizer.from_file(str(tmp_path / "again" / "tokenizer.json"))
    for text in TEXTS:
        ids = tok.encode(text, allowed_special="all", add_special_tokens=True)
        assert ids == theirs.encode(text).ids == again.encode(text).ids
        for skip in (False, True):
            decoded = theirs.decode(ids, skip_special_tokens=skip)
            assert tok.decode(ids, skip_special_tokens=skip) == decoded
            assert again.decode(ids, skip_special_tokens=skip) == decoded
    assert Tokenizer.from_pretrained(tmp_path / "again") == tok


TEXTS = (
    "the end , it is n't",
    "  12345 a\u0301 Q\u00e9!\r\n\n x",
    "z\u0100zz Qthe<unk>\u0120 \u20ac",
    "<|im_start|> \n <mask>  \n\n the  end\n",
    "<|endoftext|> the <mask> end [MASK]  <think> <|im_start|> \n x    y<|0.00|>",
)

REFUSED = {
    "Llama 2, Mistral 7B, Gemma: bytes in SentencePiece's form": (
        family({"type": "Metaspace", "replacement": "\u2581", "split": False}),
        "pre_tokenizer: .*must have one ByteLevel",
    ),
    "CLIP": (family(GPT2, end_of_word_suffix="</w>"), "model.end_of_word_suffix: '</w>'"),
    "DeBERTa v2, T5": (family(GPT2, type="Unigram"), "model.type: 'Unigram'"),
    "BERT": (family({"type": "BertPreTokenizer"}, type="WordPiece"), "model.type: 'WordPiece'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_byte_level_bpe_is_refused(name: str, tmp_path: Path) -> None:
    """With the place and the reason."""
    document, message = REFUSED[name]
    (tmp_path / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        Tokenizer.from_pretrained(tmp_path)
