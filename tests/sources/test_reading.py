"""The options of reading: where a record has its text."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bpetok
from bpetok import distributed
from bpetok.sources.reading import ELEMENTS, check_reading, spelled

names = st.text(alphabet=r"ab.[]\ é", min_size=1, max_size=6)
ways = st.tuples(names, st.lists(names | st.just(ELEMENTS), max_size=4))


@given(ways)
def test_all_names_can_be_said(way: tuple[str, list[str]]) -> None:
    """With dots, brackets and backslashes in them."""
    steps = [way[0], *way[1]]
    assert check_reading({"text_column": spelled(steps)}).steps == steps


@pytest.mark.parametrize("column", ["", ".", "a.", ".a", "a..b", "[]", "[].a", "a[]b", "a.[]"])
def test_what_is_no_way_is_refused(column: str) -> None:
    """A name is missing, or a dot."""
    with pytest.raises(ValueError, match="text_column must be names joined by dots"):
        check_reading({"text_column": column})


@given(names, st.booleans())
def test_a_field_is_found_by_its_name(name: str, nested: bool) -> None:
    """In JSON lines, tables and on a cluster's workers; also inside of another one."""
    record = {name: {name: "plum"}} if nested else {name: "plum"}
    way = spelled([name] * (1 + nested))
    table = pa.Table.from_pylist([record])
    assert bpetok.count_words(table, text_column=way).to_dict() == {b"plum": 1}
    counted = distributed.count_batch(table, distributed.CountPlan(text_column=way))
    assert counted.to_pylist() == [{"word": b"plum", "count": 1}]


@pytest.mark.parametrize("name", ["meta.text", "texts[]", "a\\b", "[]", "a\\.b"])
@pytest.mark.parametrize("pad", [0, 3_000_000])
def test_a_field_with_dots_is_found_in_files(tmp_path: Path, name: str, pad: int) -> None:
    """Also in a line too long to be held in memory; a message says how such a name is written."""
    record = {"p": "x" * pad, name: "plum"}
    (tmp_path / "a.jsonl").write_text(json.dumps(record) + "\n")
    table = pa.table({"meta": [{"text": "low"}], name: ["plum"]})
    pq.write_table(table, tmp_path / "a.parquet")
    for file in ("a.jsonl", "a.parquet"):
        words = bpetok.count_words(tmp_path / file, text_column=spelled([name]))
        assert words.to_dict() == {b"plum": 1}
        with pytest.raises(ValueError, match="choose one with text_column") as error:
            bpetok.count_words(tmp_path / file, text_column="other")
        assert spelled([name]) in str(error.value)


def test_the_options_are_public() -> None:
    """Wrappers annotate theirs with them."""
    assert set(bpetok.Reading.__annotations__) == set(check_reading({})._fields)


COLUMNS = {
    "*": "wrong",
    "web/*.parquet": "content",
    "chat.jsonl": "messages[].content",
    "b[1].jsonl": "text",
    "more": "body",
}


@pytest.fixture
def mixed(tmp_path: Path) -> list[Path]:
    """Files whose texts are in different columns; each has one word of its own."""
    for folder in ("web", "more/inner"):
        (tmp_path / folder).mkdir(parents=True)
    for i in range(2):
        table = pa.table({"text": ["no"], "content": [f"w{'ab'[i]}"]})
        pq.write_table(table, tmp_path / f"web/{i}.parquet")
    (tmp_path / "chat.jsonl").write_text('{"messages": [{"content": "chat"}], "text": "no"}\n')
    (tmp_path / "b[1].jsonl").write_text('{"text": "bracket"}\n')
    (tmp_path / "more/inner/c.jsonl").write_text('{"body": "body", "text": "no"}\n')
    (tmp_path / "plain.txt").write_text("plain")
    return [tmp_path / name for name in ("web", "chat.jsonl", "b[1].jsonl", "more", "plain.txt")]


def _columns(folder: Path) -> dict[str, str]:
    columns = {key: value for key, value in COLUMNS.items() if key != "*"}
    return {**columns, f"{folder}/web/*.parquet": "content"}


WORDS = {b"wa": 1, b"wb": 1, b"chat": 1, b"bracket": 1, b"body": 1, b"plain": 1}


@pytest.mark.parametrize("n_threads", [1, 2])
def test_each_source_has_a_column_of_its_own(
    mixed: list[Path], tmp_path: Path, n_threads: int
) -> None:
    """In all that reads files: by a path, a name, a pattern or a folder."""
    columns = _columns(tmp_path)
    del columns["web/*.parquet"]
    options: dict[str, Any] = {"text_column": columns, "n_threads": n_threads}
    assert bpetok.count_words(mixed, **options).to_dict() == WORDS
    pairs = [(path, 2) for path in mixed]
    assert bpetok.count_words(pairs, **options).to_dict() == dict.fromkeys(WORDS, 2)
    tok = bpetok.train(mixed, vocab_size=259, **options)
    assert tok.training is not None
    assert tok.training.n_bytes == sum(map(len, WORDS))
    assert bpetok.estimate(mixed, vocab_size=259, **options).n_unique_words == len(WORDS)
    found = bpetok.report(tok, mixed, **options)
    assert found.tokenizers[0].total.n_words == len(WORDS)
    written = tok.encode_files(mixed, tmp_path / "ids.bin", **options)
    text = tok.decode(np.fromfile(written.files[0], written.dtype).tolist())
    assert text == "wawbchatbracketbodyplain"
    named = bpetok.report(tok, {"web": mixed[0], "rest": mixed[1:]}, **options)
    assert named.tokenizers[0].total.n_words == len(WORDS)


def test_columns_are_a_part_of_a_run(mixed: list[Path], tmp_path: Path) -> None:
    """A checkpoint goes on with the same ones only, in the same order."""
    columns = {"*": "body", "web": "content", "chat.jsonl": "text", "b[[]1].jsonl": "text"}
    saved: dict[str, Any] = {"checkpoint": tmp_path / "run"}
    before = bpetok.count_words(mixed, text_column=columns, **saved)
    assert bpetok.count_words(mixed, text_column=columns, **saved) == before
    del columns["*"]
    with pytest.raises(ValueError, match="text_column was"):
        bpetok.count_words(
            mixed, text_column={"*": "body", **dict(reversed(columns.items()))}, **saved
        )


def test_tables_have_the_column_of_all(tmp_path: Path) -> None:
    """No file's name is theirs."""
    (tmp_path / "a.jsonl").write_text('{"text": "low"}\n')
    files = [pa.table({"t": ["plum"]}), tmp_path / "a.jsonl"]
    columns = {"*": "t", "*.jsonl": "text"}
    words = bpetok.count_words(files, text_column=columns)
    assert words.to_dict() == {b"plum": 1, b"low": 1}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, "text_column must be a mapping of paths"),
        ({"": "a"}, "text_column must be a mapping of paths"),
        ({3: "a"}, "text_column must be a mapping of paths"),
        ({"chat.jsonl": "a..b"}, "text_column must be names joined by dots"),
        ({"chat.jsonl": 3}, "text_column must be names joined by dots"),
        ({"chat.json": "text"}, "text_column has 'chat.json', which holds for no file"),
        ({"plain.txt": "text"}, "text_column has 'plain.txt', which holds for no file"),
        ({"chat.jsonl": "text", "*": "text"}, "of those that match a file the last one holds"),
        ({"chat.jsonl": "nothing", "web": "content"}, "choose one with text_column"),
    ],
)
def test_columns_that_hold_for_nothing_are_refused(
    mixed: list[Path], columns: Any, message: str
) -> None:
    """A name that is misspelled must not be passed over in silence."""
    calls: list[Any] = [
        lambda: bpetok.count_words(mixed[:2], text_column=columns),
        lambda: bpetok.count_words([(path, 1) for path in mixed[:2]], text_column=columns),
        lambda: bpetok.estimate(mixed[:2], vocab_size=300, text_column=columns),
        lambda: bpetok.report(bpetok.Tokenizer(merges=[]), mixed[:2], text_column=columns),
        lambda: bpetok.Tokenizer(merges=[]).encode_files(mixed[:2], "i.bin", text_column=columns),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=re.escape(message)):
            call()


def test_a_cluster_counts_one_column() -> None:
    """Its tables have no names."""
    with pytest.raises(ValueError, match="text_column must be one column of the table"):
        distributed.CountPlan(text_column={"*": "text"})  # type: ignore[arg-type]  # refused
