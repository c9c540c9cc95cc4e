from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aos.kernel.dedupe import DedupeWindow

keys = st.lists(st.sampled_from([f"m{number}" for number in range(12)]), max_size=60)


@given(keys, st.integers(1, 8))
def test_it_remembers_the_last_messages_and_survives_storage(added: list[str], size: int) -> None:
    window = DedupeWindow(size)
    order: dict[str, int] = {}
    for version, key in enumerate(added, 1):
        window = window.copy(size)
        window.add(key, version)
        order[key] = version
        while len(order) > size:
            del order[next(iter(order))]
    for number in range(12):
        assert window.version_of(f"m{number}") == order.get(f"m{number}")
    stored = DedupeWindow.decode(size, window.encode())
    assert stored.encode() == window.encode()
    assert [stored.version_of(key) for key in order] == list(order.values())
    assert len(stored.encode()) == len(order) * 18


def test_a_window_that_was_made_smaller_forgets_the_oldest() -> None:
    window = DedupeWindow(5)
    for version in range(1, 6):
        window.add(f"m{version}", version)
    smaller = window.copy(2)
    smaller.add("m6", 6)
    assert [smaller.version_of(f"m{version}") for version in range(4, 7)] == [None, 5, 6]
    assert len(smaller.encode()) == 2 * 18
    assert window.version_of("m1") == 1
