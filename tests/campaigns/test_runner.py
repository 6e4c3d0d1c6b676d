"""What a campaign finds is saved, small, and can be checked again."""

from math import inf
from pathlib import Path
from typing import NamedTuple

import pytest

pytest.importorskip("resource")  # Windows has none

from campaigns import findings, runner, shrinking
from campaigns.cli import main
from campaigns.registry import CAMPAIGNS, open_campaign
from planted import Numbers


class One(NamedTuple):
    """Any value."""

    value: object


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Failing", "AssertionError: numbers"),
        ("Crashing", "ended by SIGABRT"),
        ("Spinning", "took more than 1 seconds of processor"),
        ("Hanging", "took more than 2 seconds"),
    ],
)
def test_a_planted_fault_is_found_and_saved(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever way it fails; an input that can be made smaller is."""
    monkeypatch.setitem(CAMPAIGNS, "planted", f"planted:{name}")
    n_inputs = 4 if name in ("Spinning", "Hanging") else 12
    options = runner.Options(60.0, n_inputs, 3, 0, tmp_path)
    outcome = runner.run("planted", options)
    assert outcome.inputs == n_inputs
    assert len(set(outcome.findings)) == len(outcome.findings) > 0
    text = outcome.findings[0].read_text()
    assert message in text
    case = findings.load(outcome.findings[0], open_campaign("planted:Failing", tmp_path))
    assert case.values[0] == 7
    assert (case.values == [7]) == (name == "Failing")


def test_a_slow_begin_is_no_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a busy machine: only inputs can hang."""
    monkeypatch.setitem(CAMPAIGNS, "planted", "planted:SlowToBegin")
    outcome = runner.run("planted", runner.Options(60.0, 2, 3, 0, tmp_path))
    assert (outcome.inputs, outcome.findings) == (2, [])


@pytest.mark.usefixtures("capfd")  # faulthandler needs a real file for its reports
def test_a_saved_input_is_checked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the command that is in its file."""
    monkeypatch.setitem(CAMPAIGNS, "planted", "planted:Failing")
    wrong = findings.save(tmp_path, "planted", 1, 5, Numbers([7]), "why")
    right = findings.save(tmp_path, "planted", 1, 6, Numbers([1]), "why")
    arguments = findings.command(wrong).split()[3:]
    assert arguments == ["planted", "--repeat", str(wrong)]
    with pytest.raises(AssertionError, match="numbers"):
        main(arguments)
    assert main(["planted", "--repeat", str(right)]) == 0


def test_a_run_without_a_finding_ends_with_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With one it ends with 1; what was checked is counted."""
    monkeypatch.setitem(CAMPAIGNS, "planted", "planted:Failing")
    common = ["planted", "--seconds", "60", "--output", str(tmp_path)]
    assert main([*common, "--inputs", "20", "--seed", "1"]) == 1
    assert "planted: 20 inputs in" in capsys.readouterr().out
    monkeypatch.setattr("planted.Failing.check", lambda *_: None)  # in this process only
    monkeypatch.setattr(runner, "run", lambda *_: runner.Outcome(4_000, 2.0, []))
    assert main(common) == 0
    assert "planted: 4,000 inputs in 2 s, 0 findings" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [
        ([], 60.0),
        (["--seconds", "9"], 9.0),
        (["--inputs", "5"], inf),
        (["--inputs", "5", "--together"], inf),
        (["--inputs", "5", "--seconds", "9"], 9.0),
        (["json", "--seconds", "9", "--together"], 4.5),
    ],
)
def test_a_number_of_inputs_is_not_cut_by_time(
    arguments: list[str], seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a check of a commit has the same inputs on every machine."""
    given: list[float] = []

    def run(_: str, options: runner.Options) -> runner.Outcome:
        given.append(options.seconds)
        return runner.Outcome(0, 0.0, [])

    monkeypatch.setattr(runner, "run", run)
    assert main(["scanner", *arguments]) == 0
    assert {*given} == {seconds}


@pytest.mark.parametrize(
    ("value", "smallest"),
    [
        ("abcXdef", "X"),
        (b"abc\x00X", b"X"),
        ([1, [5, "aX"]], [["X"]]),
        ({"a": 1, "X": 9}, {"X": 1}),
    ],
)
def test_inputs_are_made_smaller(value: object, smallest: object) -> None:
    """To what is left when nothing more can be left out."""
    got = shrinking.shrink(One(value), lambda case: "X" in str(case), 10.0)
    assert got == One(smallest)
