import threading
import time

import pytest

from components.sources.ordered_map import map_in_order


def test_order_is_kept_and_items_are_taken_only_as_results_are():
    taken = []

    def items():
        for item in range(100):
            taken.append(item)
            yield item

    results = map_in_order(lambda item: (time.sleep(0.001 * (item % 3)), item)[1], items(), workers=3)
    assert [next(results) for _ in range(10)] == list(range(10))
    assert len(taken) <= 10 + 2 * 3
    assert list(results) == list(range(10, 100))


def test_what_a_thread_raises_is_raised_and_the_threads_end():
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        list(map_in_order(lambda item: 1 // (item - 5), range(100), workers=2))
    assert threading.active_count() == before
