"""Places in which episodes run side by side, stepped from Python.

`GymSlots` holds Gymnasium's environments, through its vector API; `CompiledSlots` the states of a
compiled task, for a policy that is not.
"""

from functools import cache
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from mirrorpo.objectives import user_files
from mirrorpo.simulation.gym_task import GymTask, gymnasium_module
from mirrorpo.simulation.tasks import AnyTask, Task


class Stepped(NamedTuple):
    """What one step gave; each of shape (slots,).

    Attributes:
        reward: float32.
        fell: whether the episode ended by itself, so that no reward could follow.
        cut: whether the environment's own time limit ended it.
    """

    reward: np.ndarray
    fell: np.ndarray
    cut: np.ndarray


class Slots(Protocol):
    """Places for episodes."""

    @property
    def observations(self) -> np.ndarray:
        """What each slot's policy sees now, shape (slots, observations), float32."""
        ...

    def restart(self, which: np.ndarray, seeds: np.ndarray) -> None:
        """Begin a new episode in some slots.

        Args:
            which: slots, shape (slots,), bool. The first call must name all.
            seeds: what `seeds_of` gives, one for each slot; those of other slots are ignored.
        """
        ...

    def step(self, actions: np.ndarray) -> Stepped:
        """One step of each slot. An episode that ended must be restarted first.

        Args:
            actions: as a policy gives them, before clipping; shape (slots, actions).
        """
        ...

    def close(self) -> None:
        """Give the environments back."""
        ...


def seeds_of(keys: jax.Array) -> np.ndarray:
    """The seeds of start states, shape (keys, 2), uint32; equal keys give equal start states."""
    return np.asarray(jax.random.key_data(keys)).reshape(len(keys), 2)


def open_slots(task: AnyTask, count: int) -> Slots:
    """Places for `count` episodes of a task.

    Raises:
        ValueError: the environment cannot be made.
    """
    return GymSlots(task, count) if isinstance(task, GymTask) else CompiledSlots(task, count)


class GymSlots:
    """`Slots` of Gymnasium, each stepped once by a call of their vector."""

    def __init__(self, task: GymTask, count: int):
        gym = gymnasium_module()
        self._task = task
        self._count = count
        # No reset by itself: the last observation of an episode is needed, and its next seed known.
        self._vector = gym.vector.SyncVectorEnv(
            [task.make] * count, autoreset_mode=gym.vector.AutoresetMode.DISABLED
        )
        self._observations = np.zeros((count, task.observation_size), np.float32)

    @property
    def observations(self) -> np.ndarray:
        return self._observations

    def restart(self, which: np.ndarray, seeds: np.ndarray) -> None:
        # Gymnasium takes 31 bits and more; NumPy's generators spread any number well.
        numbers = [int(a) << 32 | int(b) for a, b in seeds]
        options = None if which.all() else {"reset_mask": np.asarray(which, bool)}
        try:
            seen, _ = self._vector.reset(seed=numbers, options=options)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise self._failed("reset", error) from error
        self._see(seen, which)

    def step(self, actions: np.ndarray) -> Stepped:
        try:
            seen, reward, fell, cut, _ = self._vector.step(self._task.scaled(actions))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise self._failed("step", error) from error
        self._see(seen, np.ones(self._count, bool))
        reward = np.asarray(reward, np.float32)
        if not np.isfinite(reward).all():
            raise ValueError(
                f"Task {self._task.name} gave a reward that is not finite: "
                f"{reward[~np.isfinite(reward)][0]}."
            )
        return Stepped(reward, np.asarray(fell, bool), np.asarray(cut, bool))

    def close(self) -> None:
        self._vector.close()

    def _see(self, seen: np.ndarray, which: np.ndarray) -> None:
        self._observations = np.where(which[:, None], seen, self._observations).astype(np.float32)
        if not np.isfinite(self._observations).all():
            slot, place = np.argwhere(~np.isfinite(self._observations))[0]
            raise ValueError(
                f"Task {self._task.name} gave an observation that is not finite: number {place} "
                f"is {self._observations[slot, place]}."
            )

    def _failed(self, what: str, error: BaseException) -> BaseException:
        if isinstance(error, (MemoryError, OSError)):
            return error
        return ValueError(
            f"Task {self._task.name} fails in {what}: {user_files.one_line(error):.300}"
        )


class CompiledSlots:
    """`Slots` of a compiled task, stepped together."""

    def __init__(self, task: Task, count: int):
        self._restart, self._step = _programs(task)
        self._count = count
        self._state: Any = None

    @property
    def observations(self) -> np.ndarray:
        return np.asarray(self._state.obs, np.float32)

    def restart(self, which: np.ndarray, seeds: np.ndarray) -> None:
        keys = jax.random.wrap_key_data(jnp.asarray(seeds, jnp.uint32))
        self._state = self._restart(self._state, jnp.asarray(which), keys)

    def step(self, actions: np.ndarray) -> Stepped:
        self._state = self._step(self._state, jnp.asarray(actions, jnp.float32))
        fell = np.asarray(self._state.done) > 0.5
        return Stepped(np.asarray(self._state.reward, np.float32), fell, np.zeros_like(fell))

    def close(self) -> None:
        self._state = None


@cache
def _programs(task: Task) -> tuple[Any, Any]:
    def restart(state: Any, which: jax.Array, keys: jax.Array) -> Any:
        start = jax.vmap(task.reset)(keys)
        if state is None:
            return start

        def choose(new: jax.Array, old: jax.Array) -> jax.Array:
            return jnp.where(which.reshape(-1, *[1] * (new.ndim - 1)), new, old)

        return jax.tree.map(choose, start, state)

    return jax.jit(restart), jax.jit(jax.vmap(task.step))
