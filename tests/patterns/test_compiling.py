"""Expressions compiled to automata give the words of `regex`, chains those of tokenizers."""

from functools import cache
from random import Random

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bpetok.patterns.builtin import PATTERNS, check_pattern, names, scanner_of
from bpetok.patterns.chains import SplitStep
from bpetok.patterns.classes import CodeSet, contains, named_set
from bpetok.patterns.compiling import compile_chain, compile_expression
from bpetok.patterns.dfa import CompiledPattern
from bpetok.patterns.errors import SplitError
from bpetok.patterns.explaining import explain
from bpetok.patterns.parse import Chars, Sequence, Unsupported, parse
from bpetok.patterns.provisional import MOST_SLOTS, Provisional
from bpetok.patterns.scan import PATTERN_NAMES, split_words
from oracles import regex_words
from published import EXPRESSIONS as PUBLISHED
from reference import assigned_characters

CHARACTERS = (
    "astmdrevlTLSREVLD'''\t\n\r019!-/ \x00\x1c\x7féßжñ٣½中海あ한낙\u0301\u0903\u2019\u00a0\u0085"
    "\u2003\u3000𝔸𝟘🙂ſÀǅʰª\U0001e943"
)

MANY = [chr(0x4E00 + i) for i in range(300)]

EXPRESSIONS = [
    # what people write
    r"[a-z]+|[^a-z]",
    r"[a-z]+",
    r"\w+|[^\w\s]+|\s+",
    r"\w+|[^\w\s]+",
    r"\S+|\s+",
    r"\s?\S+",
    r" ?\S+|\s",
    r".+|\n",
    r"(?s).",
    r"[0-9][0-9][0-9]",
    r"\d+|\D+",
    r"\p{L}+|\p{N}+|[^\p{L}\p{N}]+",
    r"\p{L}\p{M}*|.|\n",
    r"(?i)the|[a-z]|[^a-z]+",
    r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d|[^A-Za-z\d]+",
    r"\b\w+\b|\W",
    r"\B.|\b.|\n",
    # published
    r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}{1,3}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+",
    r"\p{N}{1,3}(?=(?:\p{N}{3})*(?:\P{N}|$))|\P{N}+",
    r" ?\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))| ?[^\s\p{N}]+|\s+(?!\S)|\s+",
    r"\d{1,3}(?=(?:\d{3})*\b)",
    r"(?<=\d)(?=(?:\d{3})+(?!\d))\d|\d+?(?=\d{3})|.",
    r"'(?i:[sdmt]|ll|ve|re)| ?[\p{Lu}]+(?=[\p{Lu}][\p{Ll}])| ?[\p{Lu}]?[\p{Ll}]+| ?[\p{Lu}]+"
    r"| ?[\p{Lt}\p{Lm}\p{Lo}]+|\p{N}{1,3}(?=(?:\p{N}{3})*(?:\P{N}|$))| ?[^\s\p{L}\p{N}]++[\r\n]*"
    r"|\s*[\r\n]|\s+",
    r" ?[^\s\[.,!?…。，、।۔،\]]+|\s|[\[.,!?…。，、।۔،\]]",
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+| {2,}(?=\S)|\s+(?!\S)",
    r"\s?\p{L}+|\s?\p{P}+|[一-龥ࠀ-一가-퟿]+|\p{N}|\s+",
    r"(?:\r?\n)+(?!\r?\n)|[^\r\n]+|\r",
    r" ?(?:\p{L}\p{M}*)+['\u2019](?:\p{L}\p{M}*)+|_(?:\p{Ll}\p{M}*)+|(?:\p{L}\p{M}*)+|.|\s",
    r"(?:[\p{L}\p{M}]|(?<=\p{L})'(?=\p{L}))+|\p{N}|[^\p{L}\p{M}\p{N}]",
    r"\p{Han}|\p{Hiragana}+|\p{Katakana}+|\p{Hangul}+|\p{Latin}+|[\s\S]",
    r"[^\S\r\n]+|\S+|[\r\n]",
    # possessive and atomic, lazy, counted
    r"\p{L}++|\s++|.",
    r"[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s",
    r"(?>ab|a)|.|\s",
    r"(?>\s+)|(?>\S+)",
    r"(?>a|ab)c|.|\s",
    r"(?>\r?\n)\s|(?>[^\r\n\p{L}\p{N}]?)\p{L}+|(?>a{1,3}|b)t|(?>.+?)a|.|\s",
    r"(?>(?>ab|a)|[bs])(?>\s{2}|\s+)(?!\S)|.|\s",
    r"a{2,4}?|a|[^a]{2}|[^a]",
    r"(?:ab|a){2,3}|[ab]|[^ab]+",
    r".{1,5}|\n",
    r".{3,}?|.|\n",
    # places
    r"^\s+|\s+$|\S+|\s",
    r"(?m)^\w+|\w+$|\W|\w",
    r"\A\w+|\w|\W+\Z|\W",
    r"\s+(?=\S)|\S+(?=\s)|\S+|\s",
    r"(?<!\w)\w|\w+|\W",
    r"(?<=[a-z])[A-Z]|[A-Z]+|[^A-Z]+",
    r"a(?!b)|ab?|[^a]",
    r"\n(?!\n)|\n\n|[^\n]+(?=\n|$)|.",
    # a match that is given up late
    r"a+b|a|[^a]",
    r"[0-9]{3}|[a-z]+!",
    r"\w+@\w+|\w|\W",
    r"\S+\.\S+|\S|\s",
    r"[a-z]+:|(?<=s)t|[a-z]|é|\n",
    r" ?\w+(?=,)|\w|\W",
    r"\w{2,}@|\w{3,}[.]|\w(?!a)|\w{1,2}|\W",
    r"(?:ab)+c|a|[^a]",
    r"[^.]+\.\n|[\s\S]{1,2}",
    r"a(?:aa)+b|ab|[\s\S]",
    r"a{3}b|a{5}t|aa|\s+(?!\S)|[\s\S]",
    r"(?:at)+s|t+a+s1|[\s\S]{1,2}",
    # classes by their POSIX names, white space within lines, ends of lines
    r"[[:alpha:]]+|[^[:alpha:]]",
    r"[[:alnum:]_]+|[[:punct:]]+|[[:^alnum:]]",
    r"[[:upper:]]?[[:lower:]]+|[[:digit:]]{1,3}|[[:graph:]]|[[:space:]]+",
    r"[[:alpha:]-z]+|[\h-z]|[[:digit:]]]|[!-[]|[^[:space:][:alpha:]]",
    r"\h+|\R|[^\h]",
    r"\s*\R+|[\h!]+|\w+|[[:print:]]",
    # laid out over lines
    "(?x) [[:alpha:]]+ # letters )\n | \\d {1,3} | \\s + (?!\\S) | \\ [ #] | [^ \\w] + + | \\s",
    "(?x)\n  ' (?: [sdmt] | ll ) # ends\n  | (?i: s | t \x85 )\\ ? [a-z] +?\n | . (?-x: ) | \\#",
]


def compiled(pattern: str, unmatched: str = "word") -> CompiledPattern:
    scanner = scanner_of(check_pattern(pattern), unmatched)
    assert isinstance(scanner, CompiledPattern)
    return scanner


def words(text: str, pattern: str) -> list[str]:
    return [word.decode() for word in split_words(text.encode(), compiled(pattern))]


@st.composite
def texts(draw: st.DrawFn, max_size: int = 60) -> str:
    """Text in few characters, which makes rare sequences common; it may begin with a long run."""
    characters = draw(st.lists(st.sampled_from(CHARACTERS), min_size=1, max_size=8))
    run = draw(st.sampled_from(characters)) * draw(st.sampled_from([0, 1, 2, 3, 7, 340]))
    return run + draw(st.text(st.sampled_from(characters), max_size=max_size))


COMPILED_NAMES = [name for name in PATTERNS if name not in PATTERN_NAMES]


@pytest.mark.parametrize("expression", [*EXPRESSIONS, *(PATTERNS[name] for name in COMPILED_NAMES)])
@given(texts())
@example("It's 2024  now\n\n x")
@example("don't we'll I'd 're's\t\t'S\n  \n")
@example("HTTPServer aBC中DEF 1234567 a1234é!!\n")
@example("\n")
def test_words_equal_those_of_regex(expression: str, text: str) -> None:
    """Expressions that people use, and all that the compiler knows."""
    assert words(text, expression) == regex_words(expression, text)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_expressions_give_the_words_of_regex(name: str) -> None:
    """All of them are compiled."""
    random, expression = Random(name), PUBLISHED[name]
    for _ in range(100):
        text = "".join(random.choices(CHARACTERS + ' "@./:_`hp,', k=random.randint(1, 60)))
        scanner = scanner_of(check_pattern(expression), "word")
        assert scanner is not None
        found = [word.decode() for word in split_words(text.encode(), scanner)]
        assert found == regex_words(expression, text)


SETS = (
    *("a", "b", "'", " ", r"\n", "[ab]", "[^a]", "[^ab ]", r"\p{L}", r"\s", r"\S", r"\w", r"\d"),
    *(".", "(?i:a)", r"[a-c&&[^b]]", "é", r"[\s\d]", r"\p{Lu}", "[[:alpha:]']", r"\h", r"\R"),
)
PLACES = (
    *(r"(?!\S)", r"(?=a)", r"(?<=a)", r"(?<!a)", "^", "$", r"\b", r"\B", r"\Z", r"(?=\s|$)"),
    *(r"(?=a+b)", r"(?!aa)", r"(?=(?:ab)*(?!b))", r"(?=.\b)"),
)


def expressions() -> st.SearchStrategy[str]:
    """Expressions of all that the compiler knows, over few characters."""
    sets, place = st.sampled_from(SETS), st.sampled_from(PLACES)
    repeat = st.sampled_from(["*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{,2}?", "{2,}"])
    possessive = st.sampled_from(["*+", "++", "?+", "{1,2}+"])

    def larger(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        group = st.builds("(?:{})".format, part)
        return (
            st.builds("{}{}".format, part, part)
            | st.builds("{}|{}".format, part, part)
            | st.builds("{}{}".format, group, repeat)
            | st.builds("{}{}".format, group, place)
            | st.builds("{}{}".format, place, group)
        )

    repeated = st.builds("{}{}".format, sets, repeat | possessive)
    return st.recursive(sets | repeated, larger, max_leaves=6)


def compiled_or_reason(expression: str) -> CompiledPattern | str:
    try:
        return compile_expression(expression, "word")
    except Unsupported as reason:
        return str(reason)


@settings(max_examples=300, deadline=None)
@given(expressions(), st.lists(st.text("ab' \n1éA", max_size=20), min_size=1, max_size=6))
@example(r"\b(?=.\b)'", ["1'1"])
# What is given back begins a gap, in which a match may begin.
@example("b'a|b|  aab| a", ["b' a", "b ab"])
@example("L -|L|abc", ["L ab"])
@example(r"\p{L}\n}|[A-Z]|[a-z]{3}", ["L\nlm"])
def test_any_expression_gives_the_words_of_regex(expression: str, some: list[str]) -> None:
    """If it compiles; what does not has a reason."""
    pattern = compiled_or_reason(expression)
    if isinstance(pattern, str):
        assert pattern
        return
    # Without (?V1) `regex` takes && for two characters.
    theirs = "(?V1)" + expression if "&&" in expression else expression
    for text in some:
        ours = [word.decode() for word in split_words(text.encode(), pattern)]
        assert ours == regex_words(theirs, text), text


@cache
def characters_of_16() -> str:
    """Those of Unicode 16.0, but U+0295, which 17.0 made into a letter without case."""
    return assigned_characters().replace("\u0295", "")


@cache
def every_code_point() -> str:
    """Each assigned character beside characters of each class."""
    characters = characters_of_16()
    return "".join(f"a{c}b1{c}- {c} {c}\nA{c}a!{c}中{c}\u0301{c}'{c}" for c in characters)


def assert_members_are_those_of_regex(inside: CodeSet, expression: str) -> None:
    """Compare a set of characters: of those that are assigned, and one that is not."""
    text = characters_of_16() + "\U000e0080"
    ours = {c for c in text if contains(inside, ord(c))}
    assert sorted(ours.symmetric_difference(regex.findall(expression, text))) == []


@pytest.mark.parametrize("name", COMPILED_NAMES)
def test_every_code_point_has_the_class_that_regex_gives_it(name: str) -> None:
    """In the patterns that are expressions of their own."""
    text = every_code_point()
    same = words(text, name) == regex.findall(PATTERNS[name], text)
    assert same  # the lists are too long to be compared by pytest


@pytest.mark.parametrize(
    "name",
    [
        *(
            "L",
            "Lu",
            "LC",
            "M",
            "N",
            "Nd",
            "P",
            "S",
            "Sm",
            "Z",
            "Cc",
            "Cf",
            "Letter",
            "gc=Pd",
            "^L",
        ),
        *("Han", "Latin", "Script=Greek", "Cyrillic", "Hiragana", "Katakana", "Hangul", "Thai"),
        *("Alphabetic", "White_Space", "Uppercase", "Lowercase", "Ideographic", "Any", "ASCII"),
    ],
)
def test_a_property_is_that_of_regex(name: str) -> None:
    inside = named_set(name)
    assert inside is not None
    assert_members_are_those_of_regex(inside, rf"\p{{{name}}}")


@pytest.mark.parametrize("negation", ["", "^"])
@pytest.mark.parametrize(
    "name",
    [
        "alnum",
        "alpha",
        "blank",
        "cntrl",
        "digit",
        "graph",
        "lower",
        "print",
        "punct",
        "space",
        "upper",
        "word",
        "xdigit",
    ],
)
def test_a_class_by_its_posix_name_is_that_of_regex(name: str, negation: str) -> None:
    expression = f"[[:{negation}{name}:]]"
    ours = parse(expression)
    assert isinstance(ours, Sequence)
    (characters,) = ours.parts
    assert isinstance(characters, Chars)
    assert_members_are_those_of_regex(characters.code_set, expression)


@pytest.mark.parametrize(
    "name",
    [
        *names(),
        r"\s*[\r\n]+|\s|\S+",
        r"(?:x|xx)+y|[^x]",
        r"\w+@\w+|\W",
        r"[\s\S]+@|\w|\W",
        r"\w+(?=[^.]*;)|\w|\W",
        r"\w+(?=\d\w)|\w|\W",
        r"\w+@(?=[\s\S]*;)\w|\w|\W",
    ],
)
@pytest.mark.parametrize("unit", [" ", "a", "1", "\n", "\u0301", "\t ", "x", "'r", "1 ", "\n/"])
def test_long_runs_take_linear_time(name: str, unit: str) -> None:
    """A fifth of a million bytes: with a square they would take minutes."""
    text = unit.encode() * (200_000 // len(unit.encode()))
    scanner = scanner_of(check_pattern(name))
    assert scanner is not None
    assert b"".join(split_words(text, scanner)) == text


@pytest.mark.parametrize("length", [0, 1, 255, 256, 257, 319, 320, 700])
@pytest.mark.parametrize("end", ["1", "!", "a", ""])
def test_a_match_gives_back_all_words_that_were_found_meanwhile(length: int, end: str) -> None:
    """Also if they are more than the scanner hands over at once."""
    for expression in (r"a+1|ba+!|[\s\S]", r"a(?:aa)+1|b[ab]+!|aa|[\s\S]"):
        (provisional,) = compiled(expression).provisional
        assert provisional is not None
        for text in ("b" + "a" * length + end, ("b" + "a" * length + end) * 3 + "a"):
            assert words(text, expression) == regex_words(expression, text)


# In the state where the newest match ends, two older ones become one.
LATE = [
    r"(?:[^.]{2}[ab]|@*b[a@])\W|b?[\s\S]\n[ab]|[a@]|[^\n]|\n",
    r"\w+@\w+|\w|\W",
    r"a(?:aa)+1|b[ab]+!|aa|[\s\S]",
    r"[^.]+\.\n|[\s\S]{1,2}",
    r"\w+(?=11)|\w|\W",
    r"a+(?=b[^.]*!)[ab]+1|b?[ab](?!\w*@)|[\s\S]",
]


@pytest.mark.parametrize("expression", LATE)
@pytest.mark.parametrize("unmatched", ["word", "error"])
def test_the_number_of_each_word_is_known_where_it_is_asked_for(
    expression: str, unmatched: str
) -> None:
    """On all ways through the tables; what is not written there could be anything."""
    (provisional,) = compiled(expression, unmatched).provisional
    assert provisional is not None
    written: dict[int, set[int]] = {0: set()}  # by row, on all ways to it
    waiting = [0]
    while waiting:
        row = waiting.pop()
        for target, known in ways_on(provisional, row, written[row]):
            before = written.get(target)
            written[target] = known if before is None else before & known
            if written[target] != before:
                waiting.append(target)


def ways_on(tables: Provisional, row: int, known: set[int]) -> list[tuple[int, set[int]]]:
    """Return the rows after one, and the slots that are written there, where some are before."""
    width = tables.first_action // (len(tables.open_at) - 1)
    first, last = tables.open_at[row // width], tables.open_at[row // width + 1]
    assert {*tables.open_slots[first:last]} <= {*known, MOST_SLOTS}
    ways: list[tuple[int, set[int]]] = [(alone, set()) for alone in tables.open_rows[first:last]]
    for entry in tables.table[row : row + width]:
        if entry < tables.first_action:
            ways.append((entry, {*known, tables.saves[entry]} - {MOST_SLOTS}))
        elif (slot := tables.slots[entry - tables.first_action]) != MOST_SLOTS:
            assert slot in known
            ways.append((tables.targets[entry - tables.first_action], known))
    return ways


# Symbols, states and kinds of columns differ by what is known of the text that follows.
AHEAD = [
    r"(?=\w+@\w)\w+@\w+|\w|\W",
    r"\w+(?=[^.]*!)|\w|\W",
    r"\w+(?![^\n]*@)|\w|\W",
    r".(?=.*b)|[\s\S]",
    r"\w+(?=.*@)|.|\n",
    r"[^.]+(?=\.\n)|\w|\W",
    r"(?!\w*ab\b)\w+|\w|\W",
    r"\w+(?!\w*\s*1)|\w{1,2}|\W",
    r"\w+@(?=[^.]*!)\w+|\w|\W",
    r"(?<=a)b+(?=[^.]*a$)|\w|\W",
    r"(?!ab*1)a+b?|(?=b+[^b]$)[ab]+|[\s\S]",
    r"\w(?=\w*\s$)|[^.]{2}(?=[\s\S]*1)|é+|[\s\S]",
    r"(?:a|é)+(?=b\w*1)",
    r"a+(?=b[^.]*!)[ab]+1|b?[ab](?!\w*@)|[\s\S]",
]


@pytest.mark.parametrize("expression", AHEAD)
def test_words_that_go_by_what_follows(expression: str) -> None:
    """Wherever the scanner reads backwards from, and wherever it stops to hand words over."""
    rng = Random(7)
    for letters in ("ab@.\n 1!é", "ab 1", "aé.\n", "ab@"):
        for length in (3, 10, 40, 40, 200, 1500, 3000):
            text = "".join(rng.choices(letters, rng.choices([1, 5, 30], k=len(letters)), k=length))
            assert words(text, expression) == regex_words(expression, text)
            assert words(text + "\n", expression) == regex_words(expression, text + "\n")


@pytest.mark.parametrize(
    "expression",
    [r"(?=\w+@\w)\w+@\w+|\w|\W", r"\w+(?=[^.]*;)|\w|\W", r"\w+(?![^\n]*#)|\w|\W"],
)
def test_a_match_that_can_not_end_is_given_up_at_once(expression: str) -> None:
    """What follows is known, so that no word has to stand until a longer match is found."""
    assert compiled(expression).provisional == (None,)
    text = "some@where a;b c. d" * 5
    assert words(text, expression) == regex_words(expression, text)


def test_a_piece_may_end_where_the_text_goes_on() -> None:
    """What a later step reads may be followed by nothing, whatever the first step has seen."""
    splits = [SplitStep(r"(?=aabc)aa|[\s\S]"), SplitStep(r"aa(?!\S)|a")]
    chain = compile_chain(splits)
    assert chain.n_levels == 1
    assert split_words(b"aabc aabd", chain) == [b"aa", b"b", b"c", b" ", b"a", b"a", b"b", b"d"]


@pytest.mark.parametrize("expression", LATE)
def test_words_that_are_given_back(expression: str) -> None:
    rng = Random(5)
    for _ in range(300):
        text = "".join(rng.choices("ab@.\n 1!", rng.choices([1, 5, 30], k=8), k=rng.randrange(60)))
        assert words(text, expression) == regex_words(expression, text)


@pytest.mark.parametrize(
    ("expression", "text", "place"),
    [
        (r"a+1|a", "aaab", 3),
        (r"a+1|b", "aaa1baa", 5),
        (r"a+1|b", "aaa1baa1", None),
        (r"[ab]+1|a", "aab1ab", 5),
        (r"[ab]+1|a", "b" * 500 + "1" + "a" * 500 + "b", 1001),
        (r"[ab]+1|a", "a" * 500 + "b" * 500 + "1", None),
        (r"[a-z]+\d|[\x00-\x7f]", "ab é1", 3),
    ],
)
def test_the_place_where_text_is_not_matched(expression: str, text: str, place: int | None) -> None:
    """It is known only once all older matches have failed."""
    scanner = compiled(expression, "error")
    assert scanner.provisional[0] is not None
    if place is None:
        right = regex_words(expression, text)
        assert [w.decode() for w in split_words(text.encode(), scanner)] == right
    else:
        with pytest.raises(SplitError) as error:
            split_words(text.encode(), scanner)
        assert error.value.args[1] == place


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        (r"(.)\1", "back reference"),
        (r"(?<=ab)c|.", "look-behind of more than one character"),
        (r"(?>a*b*)c|.", r"\(\?>...\) before other parts"),
        ("|".join(map("{}{}".format, MANY, reversed(MANY))), "more than 200 kinds of characters"),
        (r"(?:[ab]*a[ab]{14})|.", "more than 3000 states"),
        (r"(?:a|aa|aaa|aaaa){1000}b|.", "too many ways to match the same text"),
        (r"(?:a{1000}){1000}", "more than 20000 states"),
        (r"(?=\d{1,1000}x)\d", "look-ahead that is too long"),
        (r"a{2000}", "more than 1000 repetitions"),
        (r"\p{Block=Arrows}", "a property"),
        (r"[a[b]]", r"a \[ inside a class"),
        (r"a*", "a match of nothing at all"),
        (r"(?i)\p{Lu}", "with case ignored"),
        (r"(?R)|a", "a kind of group"),
        (r"[[:arrow:]]", r"\[:arrow:\] \(a class by its POSIX name"),
        (r"(?i)[[:upper:]]", r"\[:upper:\] \(with case ignored"),
        (r"[!-[:digit:]]|.", "a range that ends with a class"),
        (r"(?i-i)a|.", r"i \(a flag turned on and off"),
        (r"(?x)( ?:a)", "a \\? with nothing to repeat"),
        (r"(?x)a{ 2}", "a lone brace"),
        (r"\X|a", r"\\X \(an escape"),
        ("(" * 2000 + "a" + ")" * 2000, "groups inside each other"),
    ],
)
def test_what_can_not_be_compiled_has_a_reason(expression: str, reason: str) -> None:
    """Which the warning names; none of them takes long."""
    found = compiled_or_reason(expression)
    assert isinstance(found, str)
    assert regex.search(reason, found), found


def test_users_are_told_which_way_a_pattern_goes() -> None:
    """And warned once where it is the slow one."""
    assert explain("gpt2").name == "scanner"
    assert explain(r"\p{L}+|[^\p{L}]+").can_be_cut
    assert explain("falcon").n_levels == 2
    for name in names()[7:]:
        assert explain(name).memory < 4_000_000
    with pytest.warns(
        UserWarning, match=r"can't be compiled to a scanner: \\1 \(a back reference\)"
    ):
        engine = explain(r"(\w)\1|\w|\W")
    assert (engine.name, engine.reason) == ("regex", r"\1 (a back reference)")
