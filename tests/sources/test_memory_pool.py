"""The memory that pyarrow takes for what is read: its own choice for all else is left alone."""

import pyarrow as pa
import pytest

from processes import run_python

PRINT_POOL = """
    import pyarrow as pa
    from bpetok.sources.memory_pool import memory_pool
    {before}
    print(memory_pool().backend_name, pa.default_memory_pool().backend_name)
"""


def pools(before: str = "", chosen: str | None = None) -> list[str]:
    """Return what is taken for reading, and for all else, in a process of its own."""
    code = PRINT_POOL.format(before=before)
    if chosen is None:
        return run_python(code).split()
    return run_python(code, ARROW_DEFAULT_MEMORY_POOL=chosen).split()


def test_another_pool_is_taken_only_where_nobody_has_chosen_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither by the environment nor by a call."""
    monkeypatch.delenv("ARROW_DEFAULT_MEMORY_POOL", raising=False)
    backends = pa.supported_memory_backends()
    if not {"mimalloc", "jemalloc"} <= set(backends):
        pytest.skip(f"this pyarrow has {backends} only")
    assert pools() == ["jemalloc", "mimalloc"]
    for name in ("mimalloc", "system"):
        assert pools(chosen=name) == [name, name]
    assert pools("pa.set_memory_pool(pa.system_memory_pool())") == ["system", "system"]


def test_memory_is_let_go_of_where_a_pool_would_keep_it() -> None:
    """After some megabytes, and at the end; nothing is imported for that."""
    printed = run_python(
        """
        import sys
        import bpetok
        from bpetok.sources import memory_pool
        memory_pool.release_memory()
        print("pyarrow" in sys.modules)
        import pyarrow as pa
        calls = []
        memory_pool.release_memory = lambda: calls.append(memory_pool._counted.n_bytes)
        memory_pool.RELEASED = 2500
        batch = pa.record_batch({"text": ["x" * 996]})  # and its offsets
        for _ in range(2):
            list(memory_pool.releasing([batch] * 4, "a format"))
        print(calls)
        """,
        ARROW_DEFAULT_MEMORY_POOL="system",
    )
    assert printed.split("\n")[0] == "False"
    n = pa.record_batch({"text": ["x" * 996]}).get_total_buffer_size()
    assert printed.split("\n")[1] == str([n * number for number in range(3, 9)])
