"""Typical mistakes: one line that says what is wrong, where, and what to type; nothing written."""

import json
import re
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bpetok
from bpetok.cli import main

TRAIN = "train {} -o new.json"
MISTAKES = [
    ("trian a.txt -o new.json", "unknown command 'trian', did you mean train?"),
    ("--versoin", "unknown option --versoin, did you mean --version?"),
    ("train a.txt --vocabsize 300 -o new.json", "--vocabsize, did you mean --vocab-size?"),
    ("train a.txt -x new.json", "unknown option -x (see bpetok train --help)"),
    ("train a.txt", "required: -o/--output"),
    ("train -o new.json", "give FILEs to train on, or --counts, or --demo"),
    (TRAIN.format("a.tx"), "no such file: 'a.tx'; did you mean 'a.txt'?"),
    (TRAIN.format("folder/a.txt"), "there is no folder 'folder'"),
    (TRAIN.format("*.text"), "no file matches the pattern '*.text'"),
    (TRAIN.format("empty"), "no files in the folder 'empty'"),
    (TRAIN.format("latin.txt"), "latin.txt is not UTF-8: byte 3 (0xe9); --errors replace"),
    (TRAIN.format("utf16.txt"), "text in UTF-16: convert it to UTF-8 (iconv -f UTF-16"),
    (TRAIN.format("table.txt"), "a Parquet file: give --format parquet"),
    (TRAIN.format("lines.data"), "record of JSON in each line: give --format jsonl"),
    (TRAIN.format("a.csv"), "a table in text, which is not read as one: convert it"),
    (TRAIN.format("a.json"), "a.json may be one text, or a record in each line: say --format text"),
    (TRAIN.format("bad.jsonl"), "bad.jsonl, line 2 is no JSON"),
    (TRAIN.format("a.jsonl"), "choose one with --text-column; did you mean 'texts'?"),
    (TRAIN.format("a.parquet"), "choose one with --text-column; did you mean 'texts'?"),
    (TRAIN.format("a.jsonl --text-column b.jsonl=texts"), "--text-column has 'b.jsonl'"),
    (TRAIN.format("a.jsonl --text-column a..b"), "--text-column must be names joined by dots"),
    (TRAIN.format("a.txt --format parquett"), "--format: invalid choice: 'parquett'"),
    (TRAIN.format("a.txt --pattern gtp2"), "--pattern must be one of .*; did you mean 'gpt2'?"),
    (TRAIN.format("a.txt --pattern cl100k_base"), "did you mean 'cl100k'?"),
    (TRAIN.format("htp://a.org/a.txt"), "Protocol not known: htp; did you mean 'http'?"),
    (TRAIN.format("ftp://localhost:9/a.txt"), "ftp://localhost:9/a.txt can't be read: "),
    (TRAIN.format("a.txt --pattern ["), "--pattern '[' does not compile"),
    (
        TRAIN.format('a.txt --pattern ["digits","gpt2"]'),
        '--pattern \'["digits","gpt2"]\' has steps',
    ),
    (TRAIN.format("a.txt --compat hugingface"), "--compat must be .* did you mean 'huggingface'?"),
    (TRAIN.format("a.txt --vocab-size 32q"), "--vocab-size: must be a number such as 32000 or 32k"),
    (TRAIN.format("a.txt --vocab-size 99"), "--vocab-size must be at least 256"),
    (TRAIN.format("a.txt --threads x"), "--threads: must be a whole number, got 'x'"),
    (TRAIN.format("a.txt --threads 0"), "--threads must be in 1..1024, got 0"),
    (TRAIN.format("a.txt --max-memory 4X"), "--max-memory must be a size such as '300MB' or '4G'"),
    (TRAIN.format("a.txt --max-memory 4K"), "--max-memory must be at least .* MB for"),
    (TRAIN.format("a.txt --text-column b"), "--text-column 'b' is of no use: .* --format jsonl if"),
    (TRAIN.format("a.txt --text-column a.txt=b"), "--text-column has 'a.txt', which holds for no"),
    ("encode a.txt --tokenizer tok.json --text-column b -o new.bin", "--text-column 'b' is of no"),
    ("estimate a.txt --text-column b", "--text-column 'b' is of no use"),
    ("report tok.json --text a.txt --text-column b", "--text-column 'b' is of no use"),
    (TRAIN.format("- -"), "'-' is standard input, which can be read only once"),
    (TRAIN.format("ids.bin"), "ids.bin has ids .* as ids.json says: give the text itself"),
    (TRAIN.format("many_000000.bin"), "many_000000.bin has ids .* as many.json says"),
    ("encode ids.bin --tokenizer tok.json", "ids.bin has ids"),
    ("encode ids.bin --tokenizer tok.json -o new.bin", "ids.bin has ids"),
    ("watch ids.bin", "ids.bin has ids"),
    (TRAIN.format("a.txt --sample 2"), "--sample must be above 0 and at most 1, got 2.0"),
    (TRAIN.format("a.txt --forbid ["), "--forbid must be a regular expression"),
    (TRAIN.format("a.txt --initial a.txt"), "--initial: a.txt: is not a tokenizer"),
    (TRAIN.format("a.txt --checkpoint a.csv"), "--checkpoint must be a folder"),
    (TRAIN.format("--counts none.parquet"), "no such file: 'none.parquet'"),
    ("train a.txt -o folder/new.json", "--output: folder/new.json: .* not exist: make it first"),
    ("encode a.txt --tokenizer tok.json -o folder/x.bin", "folder/x.bin: the folder .* make it"),
    ("export tok.json --to huggingface -o folder/a", "--output: folder/a: the folder .* make it"),
    ("export tok.json --to gpt2 -o folder/a", "--output: folder/a: the folder .* make it first"),
    ("export tok.json --to minbpe -o folder/a", "--output: folder/a.model: the folder .* make it"),
    ("export tok.json --to gguf -o folder/a", "--output: folder/a: the folder .* make it first"),
    ("export tok.json --to huggingface -o a.txt", "--output: a.txt is a file, give the name of a"),
    (TRAIN.format("a.txt --checkpoint folder/a"), "--checkpoint: folder/a: .* make it first"),
    ("watch low --html folder/a.html", "--html: folder/a.html: the folder .* make it first"),
    ("train a.txt -o empty", "--output: empty: is a folder, give the name of a file"),
    ("train a.txt -o s3://b/new.json", "only files of this machine .* 's3://b/new.json'"),
    (TRAIN.format("a.txt --checkpoint s3://b/run"), "--checkpoint: only files .* 's3://b/run'"),
    (TRAIN.format("a.txt --report s3://b/r.html"), "--report: only files of this machine"),
    ("count a.txt -o s3://b/new.parquet", "--output: only files of this machine"),
    ("encode a.txt --tokenizer tok.json -o s3://b/new.bin", "only files of this machine"),
    ("export tok.json --to huggingface -o s3://b/new", "--output: only files of this machine"),
    ("export tok.json --to tiktoken -o s3://b/new", "--output: only files of this machine"),
    ("watch low --html s3://b/new.html", "--html: only files of this machine"),
    ("info s3://b/tok.json", "only files of this machine can be used here, got the URL"),
    ("train a.txt -o a.txt", "a.txt is one of the files to read"),
    ("encode hello --tokenizer tok.json", "a text itself is read from standard input"),
    ("encode a.txt --tokenizer tok.jso", "--tokenizer: tok.jso: .*; did you mean 'tok.json'?"),
    ("encode a.txt --tokenizer a.txt", "is not a tokenizer: .*; give bpetok's file"),
    ("encode a.txt --tokenizer gpt2", "--tokenizer: gpt2: .* hf download gpt2 tokenizer.json"),
    (
        "encode a.txt --tokenizer tok.json --tokens -o new.bin",
        "--tokens is of no use with",
    ),
    ("encode a.txt --tokenizer tok.json --eot x", "--eot needs --output"),
    ("encode a.txt --tokenizer tok.json --eot <|ent|> -o new.bin", "did you mean '<|end|>'?"),
    ("encode a.txt --tokenizer tok.json -o new.json", "--output must not end in .json"),
    ("encode special.txt --tokenizer tok.json", "--special ids, or encode it as ordinary text"),
    ("decode a.txt --tokenizer tok.json", "a.txt, line 1: 'the' is not an id"),
    ("export tok.json --to hugingface -o new", "did you mean 'huggingface'?"),
    ("export tok.json --to huggingface -o new --eos-token x", "--eos-token must be a special"),
    ("info tok.jso", "bpetok: error: tok.jso: No such file or directory; did you mean 'tok.json'?"),
    ("report tok.json --text a.tx", "no such file: 'a.tx'; did you mean 'a.txt'?"),
    ("report tok.json --text a.txt --html a.txt", "--html: a.txt is one of the files to read"),
    ("report tok.json --text *.txt --html a.txt", "--html: a.txt is one of the files to read"),
    ("report tok.json --text a.txt --html tok.json", "--html: tok.json is one of the files"),
    ("explain hi --tokenizer tok.json --html tok.json", "--html: tok.json is one of the files"),
    (
        "explain hi there --tokenizer tok.json",
        "unrecognized arguments there: give a text in quotes",
    ),
    ("watch a.txt --html a.txt", "--html: a.txt is one of the files to read"),
    ("watch nothing.txt", "no such file: 'nothing.txt'; to take the name as a text: echo nothing"),
    ("watch a.tx.gz", "no such file: 'a.tx.gz'"),
    ("watch folder/nothing", "no such file: 'folder/nothing', there is no folder 'folder'"),
    ("watch empty", "empty is a folder: give one of its files"),
    ("watch a.jsonl", "a.jsonl: give plain text in UTF-8, this is JSON lines"),
    ("watch a.parquet", "a.parquet: give plain text in UTF-8, this is Parquet"),
    ("watch utf16.txt", "text in UTF-16: convert it to UTF-8 (iconv -f UTF-16"),
    ("watch latin.txt", "latin.txt is not UTF-8: byte 3 (0xe9); convert it, as by iconv"),
    ("watch a.txt --vocab-size 10", "--vocab-size must be in 256.."),
    ("watch a.txt --pattern gtp2", "--pattern must be one of .*; did you mean 'gpt2'?"),
    ("merge-counts a.txt -o new.parquet", "a.txt is damaged .* `bpetok count` writes those"),
    ("merge-counts a.parquet -o new.parquet", "a.parquet: must have .* `bpetok count` writes"),
    ("merge-counts c.parquet -o c.parquet", "c.parquet is one of the files to read"),
    ("merge-counts c.parquet --weight x -o new.parquet", "--weight: must be a number such as 0.5"),
    ("merge-counts c.parquet --weight 0 -o new.parquet", "--weight: must be a number of at least"),
    (
        "merge-counts c.parquet --pattern cl100k -o new.parquet",
        "with --pattern 'gpt2', but --pattern says 'cl100k': .*; leave --pattern out",
    ),
    (TRAIN.format("--counts a.txt"), "a.txt is damaged .* `bpetok count` writes those"),
    (TRAIN.format("a.txt --superwords 10"), "--superwords must be in 256..32000, got 10"),
    (TRAIN.format("a.txt --superwords-unused drop"), "--superwords-unused is of no use without"),
    (
        TRAIN.format("a.txt --superwords 300 --superwords-sample 3"),
        "--superwords-sample must be abo",
    ),
    (
        TRAIN.format("a.txt --superwords 300 --superwords-pattern ["),
        "--superwords-pattern '[' does not",
    ),
    (
        TRAIN.format("a.txt --superwords 300 --superwords-max-bytes 1MB --checkpoint run"),
        "--superwords-max-bytes exclude each other: give --superwords-sample",
    ),
    (TRAIN.format("a.txt --balance-ratio 1"), "--balance-ratio is of no use without --balance"),
    (
        TRAIN.format("a.txt latin.txt --balance parity --balance-ratio 1"),
        "give --balance-ratio for each of the 2 languages, got 1",
    ),
    (TRAIN.format("a.txt --balance parity --balance-alpha 3"), "without --balance-window-size"),
    (TRAIN.format("a.txt --balance parity --max-memory 1GB"), "not be given with --balance, which"),
    (
        "train a.txt --balance parity --balance-development special.txt -o special.txt",
        "special.txt is one of the files to read",
    ),
    (TRAIN.format("a.txt --normalizer nfkcc"), "--normalizer: 'nfkcc' .*; did you mean 'NFKC'?"),
    (TRAIN.format("a.txt --like tok.jso"), "--like: tok.jso: .*; did you mean 'tok.json'?"),
    (TRAIN.format("a.txt --like tok.json --pattern gpt2"), "be given with --like, which says it"),
    (TRAIN.format("a.txt --initial tok.json --vocab-size 256"), "ids of --initial and 0 new"),
    (TRAIN.format("a.txt --special-token="), "--special-token must not be empty"),
    (TRAIN.format("a.txt --special-token a --special-token a"), "--special-token must differ"),
    (TRAIN.format("a.txt --sample 50%"), "--sample: must be a number such as 0.5, got '50%'"),
    (TRAIN.format("a.txt --seed 3"), "--seed needs --sample"),
    (TRAIN.format("a.txt --report a.txt"), "a.txt is one of the files to read"),
    (TRAIN.format("a.txt --report new.json"), "--report: new.json is the --output, too"),
    (
        TRAIN.format("c.parquet"),
        "c.parquet has no column 'text', it has .*, as files of counts: .* --counts",
    ),
    ("export tok.json --to tiktoken -o tok.json", "--output: tok.json is one of the files"),
    ("export hf --to huggingface -o hf", "--output: hf/tokenizer.json is one of the files"),
    ("export tok.json --to huggingface -o new --chat-template no", "--chat-template: no: No such"),
    (
        "export tok.json --to huggingface -o new --chat-template latin.txt",
        "--chat-template: latin.txt is not UTF-8: byte 3 (0xe9); convert it",
    ),
    (
        "export tok.json --to huggingface -o new --chat-template a.jinja",
        "--chat-template, line 2: unexpected 'end of template'",
    ),
    ("info /dev/null", "/dev/null is a pipe or a device, .* write it to a file"),
    ("encode a.txt --tokenizer /dev/null", "/dev/null is a pipe or a device"),
    ("merge-counts /dev/null -o new.parquet", "/dev/null is a pipe or a device"),
    ("info t.tiktoken", "does not say its pattern, so give one with --pattern"),
    (
        "info tok.json --pattern none",
        "--pattern is only for a .tiktoken file: tok.json says 'gpt2'",
    ),
    ("encode latin.txt --tokenizer tok.json", "latin.txt: .* byte 3 is not; --errors replace repl"),
    ("encode a.jsonl --tokenizer tok.json", "a.jsonl is JSON lines: the texts in it are encoded"),
    ("encode *.text --tokenizer tok.json", "no file matches the pattern '*.text'"),
    ("encode s3://a/b --tokenizer tok.json", "s3://a/b is a URL, which is read with --output"),
    ("encode empty --tokenizer tok.json", "no files in the folder 'empty'"),
    ("decode new.bin --tokenizer tok.json", "no such file: 'new.bin'"),
    ("tokenize a.txt", "unknown command 'tokenize', did you mean encode?"),
    ("convert tok.json", "unknown command 'convert', did you mean export?"),
    ("train a.txt --model_prefix=new", "--model_prefix, did you mean --output?"),
    (TRAIN.format("a.txt --column texts"), "--column, did you mean --text-column?"),
    ("a.txt", "unknown command 'a.txt': a command comes before the name of a file"),
    ("-o new.json train a.txt", "-o comes after the command: bpetok train -o new.json a.txt"),
    ("--tokenizer tok.json encode", "after the command: bpetok encode --tokenizer tok.json"),
    ("train -dash.txt -o new.json", "-dash.txt; for the file of that name: ./-dash.txt"),
    (TRAIN.format("a.txt -o new.json"), "-o/--output is given twice: leave one out"),
    (TRAIN.format("a.txt --sample 0.1 --sample=0.2"), "--sample is given twice"),
    (TRAIN.format("a.txt --quiet=yes"), "-q/--quiet: takes no value, got 'yes'"),
    ("train a.txt --output=", "-o/--output must not be empty"),
    ("train a.txt -o -", "-o/--output must be the name of a file, got '-'"),
    ("export tok.json --to tiktoken -o -", "-o/--output must be the name of a file, got '-'"),
    ("watch low --html -", "--html must be the name of a file, got '-': ./- is one of that name"),
    (TRAIN.format("a.txt --checkpoint="), "--checkpoint must not be empty"),
    (TRAIN.format("a.txt --forbid="), "--forbid must not be empty"),
    (TRAIN.format("a.txt --final-token="), "--final-token must not be empty"),
    (TRAIN.format("a.txt --forbid x*"), "--forbid 'x*' finds something in every token"),
    (TRAIN.format("a.txt --text-column =text"), "--text-column =text has no FILE"),
    (TRAIN.format("a.txt --reserved x 3"), "--reserved NAME must have one {} for the number"),
    (TRAIN.format("a.txt --vocab-size 256 --special-token x"), "and 1 special token, got 256"),
    (TRAIN.format("a.txt --vocab-size 257 --initial tok.json"), "and 0 new special tokens"),
    ("train a.txt -o new.json/", "--output: new.json/: a folder ends so, give the name of a file"),
    ("encode *.txt a.parquet --tokenizer tok.json", "a.parquet is Parquet: the texts in it are"),
    ("encode a.txt a.txt.gz --tokenizer tok.json", "a.txt.gz is compressed: the texts in it"),
    ("encode a.tsv --tokenizer tok.json", "a.tsv is a table in text: the texts in it"),
    ("encode a.png --tokenizer tok.json", "a.png: by its first bytes this is a picture"),
    ("encode utf16.txt --tokenizer tok.json", "utf16.txt: by its .* convert it to UTF-8"),
    ("encode a.txt --tokenizer tok.json -o new.npy", "--output must not end in .npy"),
    ("decode 1 2 --tokenizer tok.json", "no such file: '1'; ids themselves are read from stand"),
    ("export nfkc.json --to gpt2 -o new", "NFKC'}; --to bpetok and --to huggingface keep it"),
    ("export letters.json --to gpt2 -o new", "; --to huggingface keeps the pattern"),
    ("export letters.json --to minbpe -o new", "; --to huggingface keeps the pattern"),
    ("export tok.json --to hf -o new", "did you mean 'huggingface'?"),
    ("export tok.json --to llama.cpp -o new", "did you mean 'gguf'?"),
    ("report --text a.txt tok.json", "give TOK.json, before --text, which takes all names"),
    ("estimate empty.txt", "text must have at least one word, but there is none in the sample"),
    ("version", "unknown command 'version', did you mean --version?"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of many kinds, and a tokenizer."""
    text = "the cat sat on the mat. " * 20
    tok = bpetok.train_from_iterator([text], vocab_size=260, special_tokens=["<|end|>"])
    tok.save(tmp_path / "tok.json")
    tok.save_pretrained(tmp_path / "hf")
    tok.save_tiktoken(tmp_path / "t.tiktoken")
    bpetok.Tokenizer(merges=[], pattern="[a-z]+|.").save(tmp_path / "letters.json")
    bpetok.Tokenizer(merges=[], normalizer="NFKC").save(tmp_path / "nfkc.json")
    bpetok.count_words_from_iterator([text]).save(tmp_path / "c.parquet")
    tok.encode_files([__file__], tmp_path / "many.bin", shard_size=10_000, disallowed_special=())
    tok.encode_files([__file__], tmp_path / "ids.bin", disallowed_special=())
    (tmp_path / "empty").mkdir()
    pq.write_table(pa.table({"texts": [text]}), tmp_path / "a.parquet")
    files = {
        "a.txt": text.encode(),
        "special.txt": b"the <|end|>",
        "latin.txt": b"caf\xe9 ",
        "utf16.txt": text.encode("utf-16"),
        "table.txt": (tmp_path / "a.parquet").read_bytes(),
        "lines.data": b'{"text": "the"}\n' * 9,
        "a.csv": b"id,text\n",
        "a.jinja": b"{{ messages }}\n{% for",
        "a.tsv": b"id\ttext\n",
        "a.png": b"\x89PNG\r\n\x1a\n",
        "a.txt.gz": b"",
        "-dash.txt": b"the cat",
        "empty.txt": b"",
        "a.json": b"{}",
        "a.jsonl": json.dumps({"texts": text}).encode(),
        "bad.jsonl": b'{"text": "a"}\n{"text": ',
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("command", "message"), MISTAKES)
def test_a_mistake_gets_one_line(
    folder: Path, capfd: pytest.CaptureFixture[str], command: str, message: str
) -> None:
    """With exit status 2, in the command's words; no file is made or changed."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    status = main.main(command.split())
    out, err = capfd.readouterr()
    assert (status, out) == (2, ""), err
    assert err.count("\n") == 1, err
    assert err.startswith("bpetok: error: ")
    at = 0
    for part in message.split(" .*"):
        found = err.find(part, at)
        assert found >= 0, err
        at = found + len(part)
    assert not re.search(r"_column|Words\.|train_from|encode_files|\w=['{]|Path\(|: :", err), err
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_missing_extra_is_named_with_what_installs_it(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever needs it: nothing is written."""
    for command, missing, extra in (
        (TRAIN.format("a.parquet --text-column texts"), "pyarrow", "arrow"),
        (TRAIN.format("s3://bucket/a.txt"), "fsspec", "hub"),
        ("report tok.json --text a.txt --html new.html", "matplotlib", "report"),
        ("export tok.json --to gguf -o new.gguf", "gguf", "gguf"),
    ):
        with monkeypatch.context() as patch:
            for name in [name for name in sys.modules if name.split(".")[0] == missing]:
                patch.delitem(sys.modules, name)
            patch.setitem(sys.modules, missing, None)
            status = main.main(command.split())
        out, err = capfd.readouterr()
        assert (status, out, err.count("\n")) == (2, "", 1), err
        assert f"pip install 'bpetok[{extra}]'" in err
    assert not [*folder.glob("new*")]


def test_help_is_a_command_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As in git, uv and ruff; alone it is that of all commands."""
    for help, option in (
        ("help", "--help"),
        ("help train", "train --help"),
        ("--help train", "-h"),
        ("-V", "--version"),
    ):
        said = []
        for line in (help, option):
            with pytest.raises(SystemExit) as ended:
                main.main(line.split())
            said.append((ended.value.code, capsys.readouterr()))
        assert said[0] == said[1]
        assert said[0][0] == 0


def test_no_file_is_named_twice(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """As in "a.txt: a.txt: is not a tokenizer"."""
    for command in ("info a.txt", "report a.txt", "info none.json"):
        assert main.main(command.split()) == 2
        name = command.split()[1]
        assert capfd.readouterr().err.count(f"{name}:") == 1
