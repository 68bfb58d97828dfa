"""When something that happens every N steps is due."""

import pytest

from hpcgen.training.hooks.hook import Hook, due


@pytest.mark.parametrize("every, steps", [(1, [1, 2, 3, 4, 5, 6, 7]), (3, [3, 6, 7]), (7, [7]), (100, [7])])
def test_every_so_many_steps_and_after_the_last_one(comm, idle, every, steps):
    assert [step for step in range(1, 8) if due(every, idle(step), step == 7)] == steps


def test_a_hook_need_do_nothing(comm, idle):
    hook = Hook()
    hook.begin(idle(3))
    hook(idle(4), {}, True)
    hook.close()
