"""brax's own start states, beside those on the floor."""

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import short_episodes


def test_brax_starts_robots_lower_and_nothing_else_of_the_task_differs():
    floor, brax = (short_episodes.started("tla", starts) for starts in ("floor", "brax"))
    assert brax.backend == floor.backend == "positional"

    def height(task, key):
        return task.reset(key).pipeline_state.x.pos[0, 2]

    keys = jax.random.split(jax.random.key(0), 64)
    on_floor, as_brax = (jax.vmap(lambda key, t=t: height(t, key))(keys) for t in (floor, brax))
    lower = np.asarray(on_floor - as_brax)
    assert (lower >= 0).all()
    assert (lower > 0.02).any()
    assert (lower == 0).any()

    @jax.jit
    def rewards(key, action):
        start = floor.reset(key)
        return floor.step(start, action).reward, brax.step(start, action).reward

    same = int(np.argmin(lower))
    for action in (jnp.zeros(8), jnp.full(8, 2.0)):
        ours, theirs = rewards(keys[same], action)
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
