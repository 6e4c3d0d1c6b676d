"""The example of a round in `arrays.py` is what the learner does."""

from bpetok import Words
from bpetok.learning import arrays
from bpetok.learning.learner import Learner

N_SLOTS = 10


def slots(learner: Learner) -> str:
    """Return the slots, bytes as letters."""
    ids = learner.shards.symbols[:N_SLOTS].tolist()
    return "".join(f"{chr(i) if 0 <= i < 256 else i:>5}" for i in ids)


def test_the_example_of_a_round_is_true() -> None:
    """Slots before and after, postings, rows and events, as the arrays have them."""
    learner = Learner(Words.from_counts({b"low": 3, b"slow": 3}), 4)
    learner.load()
    learner._build_index()
    assert learner._select() == 1
    before = slots(learner)
    batch, rows = learner.batch, learner.rows
    postings = learner.shards.postings[batch.run_start[0] : batch.run_end[0]]
    assert (batch.left[0], batch.right[0]) == tuple(b"lo")
    learner._apply()
    lines = [
        f"slot      {''.join(f'{slot:>5}' for slot in range(N_SLOTS))}",
        f"symbols   {before}",
        f"after     {slots(learner)}",
        f"weights of the block: {learner.shards.weights[0]}",
        f"token_len[256]: {learner.shards.token_len[256]}",
        f"postings of l + o: {' '.join(map(str, postings))}",
    ]
    size = learner.vocab_size
    for row in range(rows.merge_rows[1]):
        key, weight, places = rows.key[row], *rows.sums[2 * row : 2 * row + 2]
        side = f"right neighbour {chr(key - size)}" if key >= size else f"left neighbour {chr(key)}"
        lines.append(f"row {row}: key {key}, {side}, sums {weight} {places}")
    n_events = rows.n_events[0]
    pairs = zip(rows.event_row[:n_events], rows.event_slot[:n_events], strict=True)
    lines.append("events (row, slot): " + " ".join(f"({row}, {slot})" for row, slot in pairs))
    assert arrays.__doc__
    for line in lines:
        assert f"    {line}\n" in arrays.__doc__, line
