"""The options of reading: where a record has its text."""

import json
from pathlib import Path

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
