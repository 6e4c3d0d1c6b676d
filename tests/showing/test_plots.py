"""The figures of docs/: they can be made anew, and say what they are to say."""

import re
import warnings
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import pytest

import bpetok
from benchmarks import figures
from bpetok.base.demo import demo_files
from bpetok.showing import plots
from strategies import TOY


def texts(svg: bytes) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter() if element.text]


def test_figures_of_the_example() -> None:
    """Words with their spaces, and the counts that a merge changes, in light and dark."""
    assert figures.TOY == TOY
    with mpl.rc_context(plots.STYLE):
        words, deltas = figures.words_figure(), figures.deltas_figure()
    assert "␣lower" in texts(words)
    changes = " ".join(texts(deltas))
    counts = bpetok.count_words_from_iterator([TOY]).to_dict()
    assert f"before merge 6, in a word that occurs {counts[b' newest']} times" in changes
    for change in ("(␣n, e) -6", "(e, w) -6", "(w, est) -6", "(␣n, ew) +6", "(ew, est) +6"):
        assert change in changes
    with mpl.rc_context(plots.STYLE):
        arrays = texts(figures.arrays_figure())
    assert "after l + o: the pair (lo, w) begins in slots 2 and 6" in arrays
    assert [arrays.count(text) for text in ("-1", "258", "259", "·")] == [9, 4, 4, 2]
    assert b"prefers-color-scheme:dark" in words
    assert not re.search(rb"(fill|stroke): #", words)


def test_measured_figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a few files: every stage, every pattern, every amount of text."""
    monkeypatch.setattr(figures, "VOCAB_SIZE", 600)
    monkeypatch.setattr(figures, "SIZES", [300, 512, 600])
    files = [file for file in demo_files() if Path(file).stat().st_size > 9000][:20]
    with mpl.rc_context(plots.STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert {"count", "select", "reduce", "apply"} <= set(texts(figures.phases_figure(files, 2)))
        made = figures.choosing_figures(files, (10, 1))
    assert {" gpt2", " cl100k", " o200k"} <= set(texts(made["choosing_pattern"]))
    printed = capsys.readouterr().out
    assert len(re.findall(r"^\| (gpt2|.*MB) \| [12]\.\d\d \| ", printed, re.MULTILINE)) == 3
