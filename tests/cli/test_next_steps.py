"""Lines that a command proposes run as they are printed; facts for scripts; completion."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bpetok
from bpetok.cli.main import build_parser, commands_of, main

TEXT = "the cat sat on the mat, the cat sat; " * 20
posix = pytest.mark.skipif(sys.platform == "win32", reason="lines are for POSIX's shells")
Shell = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def shell(tmp_path: Path, environment: dict[str, str]) -> Shell:
    """Run a line in a folder of its own; "bpetok" is a file there, on the path."""
    called = tmp_path / "bin" / "bpetok"
    called.parent.mkdir()
    called.write_text(f'#!/bin/sh\nexec {sys.executable} -m bpetok "$@"\n')
    called.chmod(0o755)
    environment = {**environment, "PATH": f"{called.parent}{os.pathsep}{os.environ['PATH']}"}

    def shell(line: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line],
            cwd=tmp_path,
            env={**environment, **more},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return shell


def steps(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.strip() for line in done.stderr.partition("Next:\n")[2].splitlines()]


@posix
def test_the_whole_way_is_printed(shell: Shell, tmp_path: Path) -> None:
    """From files with different columns to ids and a folder for transformers."""
    pytest.importorskip("pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"content": [TEXT, "<|im_end|>"]}), tmp_path / "web data.parquet")
    chat = {"messages": [{"content": TEXT}]}
    (tmp_path / "chat.jsonl").write_text(json.dumps(chat) + "\n")
    done = shell(
        "bpetok train 'web data.parquet' chat.jsonl --vocab-size 0.27k -o 'my tok.json' "
        "--text-column web*=content --text-column 'chat.jsonl=messages[].content' "
        "--special-token '<|im_start|>' --special-token '<|im_end|>' "
        "--special-token '<|endoftext|>'"
    )
    assert done.returncode == 0, done.stderr
    assert "1 file of Parquet, 1 file of JSON lines" in done.stderr
    encode, export, explain = steps(done)
    done = shell(encode)
    assert done.returncode == 0, done.stderr
    tok = bpetok.Tokenizer.load(tmp_path / "my tok.json")
    summary = json.loads((tmp_path / "train.json").read_text())
    assert summary["eot_id"] == tok.special_tokens["<|endoftext|>"]
    assert summary["n_ids"] == 2 * len(tok.encode(TEXT)) + 4
    assert steps(done) == [export]
    done = shell(export)
    assert done.returncode == 0, done.stderr
    assert bpetok.Tokenizer.from_pretrained(tmp_path / "my tok") == tok
    config = json.loads((tmp_path / "my tok" / "tokenizer_config.json").read_text())
    assert config["eos_token"] == "<|endoftext|>"
    for line in (explain, *steps(done)):
        assert shell(line).returncode == 0


@pytest.fixture
def here(
    shell: Shell,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Shell:
    """Run a line as `shell` does, but in this process where it can, faster; bash splits it."""
    called = str(Path(bpetok.__file__).with_name("__main__.py"))  # as by python -m bpetok
    monkeypatch.chdir(tmp_path)

    def run(line: str) -> subprocess.CompletedProcess[str]:
        words = shell(f"printf '%s\\0' {line}").stdout.split("\0")[:-1]
        if "<" in line:
            return shell(line)
        capfd.readouterr()
        status = 0
        if words[1] == "-c":
            exec(words[2])
        else:
            arguments = words[words.index("bpetok") + 1 :]
            monkeypatch.setattr(sys, "argv", [called, *arguments])
            status = main(arguments)
        return subprocess.CompletedProcess(line, status, *capfd.readouterr())

    return run


@posix
@pytest.mark.filterwarnings("ignore")  # as in a process of its own, which shows them
def test_whatever_is_proposed_runs(here: Shell, tmp_path: Path) -> None:
    """And what that proposes, to the end; nothing that is there is replaced."""
    pytest.importorskip("pyarrow")
    (tmp_path / "it's.txt").write_text(f"{TEXT}<|a|>")
    (tmp_path / "train.bin").write_bytes(b"precious")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9 " * 9)
    name = "it\\'s.txt"
    commands = commands_of(build_parser())
    (formats,) = (a.choices for a in commands["export"]._actions if a.dest == "to" and a.choices)
    lines = [
        f"bpetok train {name} --vocab-size 270 -o new.json --special-token '<|a|>'",
        f"bpetok train {name} --vocab-size 270 -o bare",
        "bpetok train latin.txt --vocab-size 258 -o l.json --errors replace --pattern '[a-z]+|.'",
        "bpetok train - --vocab-size 258 -o stdin.json < latin.txt --errors replace",
        f"bpetok count {name} -o counts.parquet --pattern cl100k --special-token '<|a|>'",
        "bpetok merge-counts counts.parquet -o more.parquet",
        "bpetok merge-counts counts.parquet more.parquet --weight 1 --weight 0.5 -o sum.parquet",
        "bpetok train --counts counts.parquet --vocab-size 270 -o c.json",
        "bpetok train --demo --vocab-size 300 --max-bytes 100000B -o demo.json",
        f"bpetok train {name} --vocab-size 270 --superwords 260 --report r.html -o s.json",
        f"bpetok train {name} --vocab-size 280 --initial new.json --checkpoint run -o i.json",
        f"bpetok train {name} --vocab-size 270 --like new.json -o like.json",
        f"bpetok estimate {name} --vocab-size 270 --special-token '<|a|>' --format text",
        "bpetok estimate latin.txt --vocab-size 258 --errors replace",
        f"bpetok estimate {name} --vocab-size 270 --superwords 260 --superwords-max-bytes 1MB",
        *(f"bpetok export new.json --to {to} -o 'out {to}'" for to in formats),
        f"bpetok encode {name} --tokenizer new.json --special ids -o ids.bin",
        f"bpetok encode {name} --tokenizer new.json --special text",
        f"bpetok encode {name} --tokenizer 'out huggingface' --special ids -o hf.bin",
        "bpetok decode ids.bin --tokenizer new.json",
        "bpetok info new.json",
        "bpetok explain 'the cat' --tokenizer new.json",
        f"bpetok report new.json --text {name}",
        f"bpetok watch {name}",
        "bpetok completion bash",
    ]
    assert {line.split()[1] for line in lines} == set(commands)  # whatever is added later, too
    n_proposed = 0
    run: set[str] = set()
    while lines:
        line = lines.pop(0)
        run.add(line)
        before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
        done = here(line)
        assert done.returncode == 0, (line, done.stderr)
        assert all(path.read_bytes() == data for path, data in before.items()), line
        proposed = steps(done)
        n_proposed += len(proposed)
        lines = [*(new for new in proposed if new not in run), *lines]
    assert n_proposed > 20


@posix
@pytest.mark.parametrize("name", [b"-dash", b"caf\xe9 1", b"two\nlines it's"])
def test_what_is_proposed_for_any_name_runs(shell: Shell, tmp_path: Path, name: bytes) -> None:
    """One that begins as an option does, is not UTF-8 or has a line feed; each is one line."""
    pytest.importorskip("pyarrow")
    stem = os.fsdecode(name)
    try:
        (tmp_path / f"{stem}.txt").write_text(f"{TEXT} -1")
    except OSError:
        pytest.skip("the file system takes UTF-8 only")
    given = shlex.quote(f"./{stem}.txt" if stem.startswith("-") else f"{stem}.txt")
    output = shlex.quote(f"./{stem}")
    lines = [
        f"bpetok train {given} --vocab-size 260 -o {output}.json --special-token=-end",
        f"bpetok estimate {given} --vocab-size 260 --pattern='-|[^-]+'",
        f"bpetok count {given} -o {output}.parquet",
        *(f"bpetok export {output}.json --to {to} -o {output}.{to}" for to in ("gpt2", "minbpe")),
        f"bpetok export {output}.json --to huggingface -o {output}.hf",
    ]
    run: list[str] = []
    while lines:
        run.append(lines.pop(0))
        done = shell(run[-1])
        assert done.returncode == 0, done.stderr
        lines += {*steps(done)} - {*run, *lines}
    assert len(run) > 15


@posix
def test_an_export_says_the_files_that_it_wrote(shell: Shell, tmp_path: Path) -> None:
    """minbpe's have endings of their own; of others it is the file or the folder that was given."""
    bpetok.train_from_iterator([TEXT], vocab_size=260).save(tmp_path / "tok.json")
    for to in ("bpetok", "huggingface", "tiktoken", "gpt2", "minbpe"):
        said = "x.model and x.vocab" if to == "minbpe" else f"{to}.x"
        output = said.split(".", maxsplit=1)[0] if to == "minbpe" else said
        done = shell(f"bpetok export tok.json --to {to} -o {output}")
        assert done.stderr.startswith(f"Saved to {said}.\n"), done.stderr
        assert all((tmp_path / name).exists() for name in said.split(" and "))


@posix
def test_nothing_is_proposed_that_would_replace_a_file(shell: Shell, tmp_path: Path) -> None:
    """Nor for very many files, nor with `--quiet` or `--json`."""
    for i in range(400):
        (tmp_path / f"number-{i}.txt").write_text("the cat")
    for name in ("tok", "tok-hf", "train.json", "train-2.bin", "train-3.json"):
        (tmp_path / name).write_text("")
    train = "bpetok train *.txt --vocab-size 258 -o tok.json"
    assert [line.split("bpetok ")[1].split()[0] for line in steps(shell(train))] == ["explain"]
    (tmp_path / "train.json").unlink()
    assert len(steps(shell(train.replace("*.txt", "'*.txt'")))) == 2
    assert len(steps(shell(train))) == 1
    for option in ("--quiet", "--json"):
        assert "Next" not in shell(f"{train} {option}").stderr


@posix
def test_nothing_is_proposed_that_would_fail(shell: Shell, tmp_path: Path) -> None:
    """To train on no words; a tokenizer.json with a special token spelled as an ordinary one."""
    pytest.importorskip("pyarrow")
    (tmp_path / "empty.txt").write_text("")
    done = shell("bpetok count empty.txt -o c.parquet")
    assert (done.returncode, steps(done)) == (0, [])
    (tmp_path / "a.txt").write_text(TEXT)
    done = shell("bpetok train a.txt --vocab-size 260 --special-token t -o tok.json")
    assert [line.split("bpetok ")[1].split()[0] for line in steps(done)] == ["encode", "explain"]
    assert shell("bpetok export tok.json --to huggingface -o tok").returncode == 2


@posix
def test_what_replaces_an_earlier_file_says_so(shell: Shell, tmp_path: Path) -> None:
    """Whatever writes; not the first time."""
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    (tmp_path / "a.txt").write_text(TEXT)
    for line in (
        "bpetok train a.txt --vocab-size 260 -o tok.json",
        "bpetok encode a.txt --tokenizer tok.json -o ids.bin",
        "bpetok encode a.txt --tokenizer tok.json -o s.bin --shard-size 100",
        "bpetok export tok.json --to tiktoken -o ranks",
        "bpetok export tok.json --to gpt2 -o gpt2",
        "bpetok explain low --tokenizer tok.json --html e.html",
        "bpetok watch low --html w.html",
    ):
        assert [", in the place of" in shell(line).stderr for _ in range(2)] == [False, True], line


@posix
def test_a_disk_that_is_full_is_status_1(shell: Shell, tmp_path: Path) -> None:
    """In one line, whatever writes; nothing is left. Here no file may have more than 1024 bytes."""
    pytest.importorskip("pyarrow")
    (tmp_path / "a.txt").write_text(f"{TEXT} {' '.join(map(str, range(3000)))}")
    made = "bpetok train a.txt --vocab-size 400 -q -o tok.json; mkdir hf"
    assert shell(made).returncode == 0
    before = sorted(tmp_path.rglob("*"))
    for line, name in (
        ("train a.txt --vocab-size 400 -q -o full.json", "full.json"),
        ("count a.txt -o full.parquet -q", "full.parquet"),
        ("encode a.txt --tokenizer tok.json -o full.bin", "full.bin"),
        ("export tok.json --to huggingface -o hf", "tokenizer.json"),
        ("export tok.json --to tiktoken -o full", "full"),
        ("encode a.txt --tokenizer tok.json > /dev/full", "standard output"),
    ):
        done = shell(f"ulimit -f 1; bpetok {line}")
        assert (done.returncode, done.stdout) == (1, ""), (line, done.stderr)
        assert done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.startswith("bpetok: error: "), done.stderr
        assert f"{name}: " in done.stderr, done.stderr
        assert sorted(tmp_path.rglob("*")) == before, line


FACTS = {"version", "output", "replaced", "files", "n_repeated_files", "pattern", "special_tokens"}
COUNTS = FACTS | {"unseen_special_tokens", "n_bytes", "n_words", "n_unique_words", "seconds"}
KEYS = {
    "train": COUNTS | {"vocab_size", "n_merges", "n_tokens", "bytes_per_token", "tokens_per_word",
                       "min_frequency"},
    "count": COUNTS,
    "merge-counts": COUNTS,
    "estimate": {"version", *bpetok.Estimate.__dataclass_fields__},
    "report": {"version", "tokenizers", "rows"},
}  # fmt: skip
ROW = {"tokenizer", "source", "n_bytes", "n_words", "n_tokens", "bytes_per_token",
       "tokens_per_word"}  # fmt: skip


@posix
def test_facts_for_scripts(shell: Shell, tmp_path: Path) -> None:
    """One object of JSON on standard output, and nothing else; the keys are those of the docs."""
    pytest.importorskip("pyarrow")
    (tmp_path / "a.txt").write_text(f"{TEXT}<|a|>")
    (tmp_path / "empty.txt").write_text("")
    special = "--special-token '<|a|>' --special-token '<|b|>'"
    lines = {
        "train": f"bpetok train a.txt --vocab-size 270 -o tok.json {special}",
        "count": f"bpetok count a.txt -o c.parquet {special}",
        "merge-counts": "bpetok merge-counts c.parquet c.parquet -o d.parquet",
        "estimate": "bpetok estimate a.txt --vocab-size 270",
        "report": "bpetok report tok.json --text a.txt empty.txt",
    }
    found: dict[str, Any] = {}
    document = (Path(__file__).parents[2] / "docs/command.md").read_text("utf-8")
    for command, line in lines.items():
        done = shell(f"{line} --json")
        assert done.returncode == 0, done.stderr
        found[command] = json.loads(done.stdout)
        assert set(found[command]) == KEYS[command]
        for key in KEYS[command]:
            assert f"`{key}`" in document
    train, count = found["train"], found["count"]
    tok = bpetok.Tokenizer.load(tmp_path / "tok.json")
    assert tok.training is not None
    assert (train["vocab_size"], train["n_merges"]) == (tok.vocab_size, len(tok.merges))
    assert train["special_tokens"] == tok.special_tokens
    assert train["unseen_special_tokens"] == count["unseen_special_tokens"] == ["<|b|>"]
    assert train["n_bytes"] == count["n_bytes"] == len(TEXT)
    assert train["bytes_per_token"] == tok.training.bytes_per_token
    assert (train["files"], train["n_repeated_files"]) == ({"text": 1}, 0)
    assert (train["output"], train["replaced"]) == ("tok.json", False)
    assert set(train["seconds"]) == {"count", "load", "learn", "all"}
    merged = found["merge-counts"]
    assert (merged["n_bytes"], merged["files"]) == (2 * len(TEXT), {"counts": 2})
    assert (merged["unseen_special_tokens"], merged["n_repeated_files"]) == (None, 1)
    rows = found["report"]["rows"]
    assert [row["source"] for row in rows] == ["a.txt", "empty.txt", "all"]
    assert all(set(row) == ROW for row in rows)
    assert rows[0]["n_tokens"] == rows[2]["n_tokens"] == tok.training.n_tokens
    assert rows[1]["bytes_per_token"] is None
    assert json.loads(shell(f"{lines['train']} --json").stdout)["replaced"]
    counted = json.loads(shell("bpetok train --counts c.parquet -o n.json --json").stdout)
    assert (counted["files"], counted["unseen_special_tokens"]) == ({"counts": 1}, None)
    done = shell("bpetok report tok.json --text a.txt --json --html r.html")
    assert (done.returncode, done.stdout) == (2, "")
    done = shell(f"{lines['train'].replace('tok.json', 'late.json')} --json >&-")
    assert (done.returncode, (tmp_path / "late.json").exists()) == (1, False)


def completions(shell: Shell, typed: str) -> list[str]:
    """Return what a real bash offers after `typed`, by the script that the command prints."""
    done = shell(
        'eval "$(bpetok completion bash)"\n'
        f"COMP_LINE={typed!r}; COMP_POINT=${{#COMP_LINE}}; COMP_TYPE=9\n"
        f"COMP_WORDS=({typed}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n"
        '[[ $COMP_LINE == *" " ]] && COMP_WORDS+=("") && COMP_CWORD=$((COMP_CWORD + 1))\n'
        "$(complete -p bpetok | sed 's/.*-F \\([^ ]*\\).*/\\1/') bpetok\n"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    assert done.returncode == 0, done.stderr
    return [word.strip() for word in done.stdout.splitlines()]


@posix
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_a_shell_completes(shell: Shell, tmp_path: Path) -> None:
    """Commands, options, their values and files, in a real bash."""
    pytest.importorskip("argcomplete")
    (tmp_path / "corpus.txt").write_text("")
    assert completions(shell, "bpetok tr") == ["train"]
    assert {"train", "encode", "export"} <= set(completions(shell, "bpetok "))
    assert completions(shell, "bpetok train --voc") == ["--vocab-size"]
    assert completions(shell, "bpetok train --pattern cl") == ["cl100k"]
    assert completions(shell, "bpetok train --compat hug") == ["huggingface"]
    assert completions(shell, "bpetok export tok.json --to hug") == ["huggingface"]
    assert completions(shell, "bpetok train cor") == ["corpus.txt"]


WORDS = {
    "bpetok tr": "train",
    "bpetok train --voc": "--vocab-size",
    "bpetok train --pattern cl": "cl100k",
    "bpetok export tok.json --to hug": "huggingface",
    "bpetok train cor": "corpus.txt",
}


@posix
@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
def test_fish_completes(shell: Shell, tmp_path: Path) -> None:
    """By `complete -C`, which is what Tab asks."""
    pytest.importorskip("argcomplete")
    (tmp_path / "corpus.txt").write_text("")
    asked = "; ".join(f"complete -C {typed!r}" for typed in WORDS)
    done = shell(f'fish -c "bpetok completion fish | source; {asked}"', HOME=str(tmp_path))
    found = [line.split("\t")[0].strip() for line in done.stdout.splitlines() if line.strip()]
    assert found == list(WORDS.values()), done


@posix
@pytest.mark.skipif(shutil.which("zsh") is None, reason="needs zsh")
def test_zsh_completes(shell: Shell, tmp_path: Path) -> None:
    """In a zsh with a terminal, to which Tab is sent; what it has on its line is echoed."""
    pytest.importorskip("argcomplete")
    (tmp_path / "corpus.txt").write_text("")
    for typed, word in list(WORDS.items())[::2]:  # a shell each
        (tmp_path / "asks").write_text(
            "zmodload zsh/zpty; zpty asked zsh -f -i; "
            'zpty -w asked "autoload -U compinit; compinit -u -D; '
            'eval \\"\\$(bpetok completion zsh)\\"; show() { print -r -- \\"=\\$BUFFER=\\" }; '
            "zle -N show; bindkey '^X' show; print rea'dy'\"; "
            "zpty -r asked line '*ready*'; "
            f"zpty -w -n asked '{typed}'$'\\t\\x18'; zpty -r asked line '*=*='; print -r -- $line"
        )
        done = shell("timeout 30 zsh -f asks", TERM="dumb", HOME=str(tmp_path))
        said = f"{typed.rpartition(' ')[0]} {word}"
        assert f"={said} =" in done.stdout or f"={said}=" in done.stdout, done


@pytest.mark.parametrize("name", ["bash", "zsh", "fish", "tcsh", "powershell"])
def test_there_is_a_script_for_each_shell(shell: Shell, name: str) -> None:
    """On standard output, for the command's name."""
    pytest.importorskip("argcomplete")
    done = shell(f"bpetok completion {name}")
    assert (done.returncode, done.stderr) == (0, "")
    assert "bpetok" in done.stdout
