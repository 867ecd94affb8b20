"""One PPO run: the programs of `ppo`, and the devices that they run on.

One iteration is two programs: `roll_out`, whose robots are spread over all local devices, and
`update`, on one device. Where the environment steps in Python, `ppo_stepping` takes `roll_out`'s
place. No program makes devices wait for each other, so nothing can hang while
the machine does other work.
"""

from functools import cache, partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from mirrorpo.agents.ppo import (
    ActingRobots,
    Learner,
    Moments,
    RolloutSteps,
    new_learner,
    new_robots,
    roll_out,
    update,
)
from mirrorpo.agents.ppo_stepping import Stepping
from mirrorpo.runtime.devices import local_mesh
from mirrorpo.simulation.policy import Policy, start_std
from mirrorpo.simulation.tasks import AnyTask, Task
from mirrorpo.training_settings import PPOSettings

_AXIS = "robots"


class Acting(Protocol):
    """How the robots of a run act."""

    def new_robots(self, keys: jax.Array) -> ActingRobots:
        """One robot for each key."""
        ...

    def begin(self, robots: ActingRobots) -> ActingRobots:
        """Make robots ready for `roll_out`.

        They come from `new_robots`, from a file, or from the last `roll_out`.
        """
        ...

    def roll_out(self, learner: Learner, robots: ActingRobots) -> tuple[ActingRobots, RolloutSteps]:
        """`rollout_steps` steps of every robot."""
        ...


class _Compiled:
    """Acting by one compiled program, spread over all local devices."""

    def __init__(self, task: Task, settings: PPOSettings):
        mesh = local_mesh(_AXIS)
        self._spread = NamedSharding(mesh, P(_AXIS))
        self._everywhere = NamedSharding(mesh, P())
        acting = jax.shard_map(
            partial(roll_out, task, settings),
            mesh=mesh,
            in_specs=(P(), P(_AXIS)),
            out_specs=P(_AXIS),
            check_vma=False,
        )
        self.new_robots = jax.jit(partial(new_robots, task), out_shardings=self._spread)
        self._roll_out = jax.jit(acting, donate_argnums=1)

    def begin(self, robots: ActingRobots) -> ActingRobots:
        return jax.device_put(robots, self._spread)

    def roll_out(self, learner: Learner, robots: ActingRobots) -> tuple[ActingRobots, RolloutSteps]:
        acted: tuple[ActingRobots, RolloutSteps] = self._roll_out(
            jax.device_put(learner, self._everywhere), robots
        )
        return acted


class _Programs(NamedTuple):
    """The compiled programs of one task and settings, and where they run."""

    acting: Acting
    new_learner: Any
    update: Any
    here: jax.Device


@cache
def _programs(task: AnyTask, settings: PPOSettings) -> _Programs:
    """Made once, so that a second run of the same settings traces nothing again."""
    acting = _Compiled(task, settings) if isinstance(task, Task) else Stepping(task, settings)
    return _Programs(
        acting=acting,
        new_learner=jax.jit(partial(new_learner, task, settings)),
        update=jax.jit(partial(update, task, settings), donate_argnums=0),
        here=jax.local_devices()[0],
    )


class PPOTrainer:
    """One PPO run as a state and a step over it.

    The state is a pytree of arrays, so that it can be saved and loaded whole. It is opaque but
    for `policy`.
    """

    def __init__(self, task: AnyTask, settings: PPOSettings):
        """Raises ValueError where the settings do not divide over this machine's devices."""
        devices = jax.local_device_count()
        if settings.environments % devices:
            raise ValueError(
                f"environments ({settings.environments}) must be a multiple of the number of "
                f"devices ({devices})."
            )
        if settings.steps_an_iteration % settings.minibatches:
            raise ValueError(
                f"environments x rollout_steps ({settings.steps_an_iteration}) must be a multiple "
                f"of minibatches ({settings.minibatches})."
            )
        self.task = task
        self.settings = settings
        self._programs = _programs(task, settings)

    def start(self, seed: int, policy: Policy | None = None) -> tuple[Learner, ActingRobots]:
        """The state before the first step.

        Args:
            seed: draws the networks, the start states and the action noise.
            policy: begin from this policy and its normaliser in place of a new one.

        Raises:
            ValueError: the policy's hidden sizes or its mean limit are not those of the settings.
        """
        if policy is not None:
            self.check_start(policy)
        learner_key, robots_key = jax.random.split(jax.random.key(seed))
        programs = self._programs
        with jax.default_device(programs.here):
            learner = programs.new_learner(learner_key)
        if policy is not None:
            learner = learner.replace(
                parameters={
                    **learner.parameters,
                    "actor": start_std(policy.parameters, self.settings.std),
                },
                observations=Moments(
                    jnp.asarray(policy.observation_mean),
                    jnp.asarray(policy.observation_std) ** 2,
                    # As if a million steps had been seen: the normaliser moves slowly.
                    jnp.float32(1e6),
                ),
            )
        keys = jax.random.split(robots_key, self.settings.environments)
        return jax.device_put(learner, programs.here), programs.acting.new_robots(keys)

    def check_start(self, policy: Policy) -> None:
        """See that a run of these settings can begin from a policy.

        Raises:
            ValueError: its hidden sizes or its mean limit are not those of the settings.
        """
        for name, own in (("hidden", policy.hidden), ("mean_limit", policy.mean_limit)):
            asked = getattr(self.settings, name)
            if asked != own:
                raise ValueError(
                    f"{name} is {asked}, but that of the policy to begin from is {own}: give it so."
                )

    def advance(
        self, state: tuple[Learner, ActingRobots], iterations: int
    ) -> tuple[Learner, ActingRobots]:
        """The state after that many iterations of rollout and update."""
        learner, robots = state
        programs = self._programs
        robots = programs.acting.begin(robots)
        for _ in range(iterations):
            robots, batch = programs.acting.roll_out(learner, robots)
            learner = programs.update(learner, jax.device_put(batch, programs.here))
        return learner, robots

    def policy(self, state: tuple[Learner, ActingRobots]) -> Policy:
        """The policy in a state, with its normaliser frozen."""
        # Host arrays: what uses the policy places it where it likes.
        learner = jax.device_get(state[0])
        return Policy(
            parameters=learner.parameters["actor"],
            observation_mean=learner.observations.mean,
            observation_std=learner.observations.std,
            mean_limit=self.settings.mean_limit,
        )
