"""Independent work side by side in threads."""

import threading

import pytest

from mirrorpo.runtime.threads import side_by_side


def test_results_come_in_the_order_of_the_items_though_the_first_ends_last():
    later = threading.Event()

    def make(item: int) -> int:
        if item == 0:
            assert later.wait(30), "the second item has not begun beside the first"
        else:
            later.set()
        return 10 * item

    assert list(side_by_side(make, range(5), 2)) == [0, 10, 20, 30, 40]


def test_one_at_a_time_works_in_the_thread_that_asks():
    here = threading.get_ident()
    assert set(side_by_side(lambda _: threading.get_ident(), range(3), 1)) == {here}


@pytest.mark.parametrize("most", [1, 2])
def test_a_failure_is_raised_and_what_has_not_begun_is_left(most):
    begun = []

    def make(item: int) -> int:
        begun.append(item)
        raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item 0"):
        list(side_by_side(make, range(100), most))
    assert len(begun) < 100
