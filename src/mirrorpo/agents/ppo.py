"""PPO for source agents: rejax's algorithm, run data-parallel over all local devices."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct
from flax.training.train_state import TrainState
from gymnax.environments import spaces
from jax.flatten_util import ravel_pytree
from jax.sharding import PartitionSpec as P
from rejax.algos.algorithm import register_init
from rejax.algos.ppo import PPO
from rejax.networks import VNetwork

from mirrorpo.runtime.devices import local_mesh
from mirrorpo.simulation.policy import GaussianActor, Policy
from mirrorpo.training_settings import PPOSettings
from mirrorpo.simulation.tasks import Task

_AXIS = "devices"


class _EpisodeState(struct.PyTreeNode):
    robot: Any
    next_start: Any
    time: jax.Array


class _TrainingEnvironment:
    """A task as rejax expects an environment: episodes end at the time limit or at a fall and
    start again from the robot's next start state. Only training uses it; evaluation never
    resets inside an episode."""

    def __init__(self, task: Task, reward_scale: float):
        self.task = task
        self.reward_scale = reward_scale

    def __deepcopy__(self, memo: dict) -> "_TrainingEnvironment":
        # rejax copies its configuration, and brax's environments cannot be copied.
        return self

    def reset(self, key: jax.Array, params: Any) -> tuple[jax.Array, _EpisodeState]:
        start, clock = jax.random.split(key)
        robot = self.task.reset(start)
        # Clocks start apart, so that not all robots meet the time limit in the same update.
        time = jax.random.randint(clock, (), 0, self.task.episode_length)
        return robot.obs, _EpisodeState(robot, robot, time)

    def step(
        self, key: jax.Array, state: _EpisodeState, action: jax.Array, params: Any
    ) -> tuple[jax.Array, _EpisodeState, jax.Array, jax.Array, dict]:
        robot = self.task.step(state.robot, self.task.command(action))
        reward = robot.reward * self.reward_scale
        time = state.time + 1
        over = (robot.done > 0.5) | (time >= self.task.episode_length)
        robot = jax.tree.map(
            lambda new, start: jnp.where(over, start, new), robot, state.next_start
        )
        time = jnp.where(over, 0, time)
        return robot.obs, _EpisodeState(robot, state.next_start, time), reward, over, {}

    def action_space(self, params: Any) -> spaces.Box:
        # The task clips motor commands; here is only what rejax asks to be told.
        return spaces.Box(-jnp.inf, jnp.inf, (self.task.action_size,))

    def observation_space(self, params: Any) -> spaces.Box:
        return spaces.Box(-jnp.inf, jnp.inf, (self.task.observation_size,))


def _mean_over_devices() -> optax.GradientTransformation:
    def mean(updates: Any, params: Any) -> Any:
        # As one vector: each exchange costs the devices a wait, whatever its size.
        flat, unravel = ravel_pytree(updates)
        return unravel(jax.lax.pmean(flat, _AXIS))

    return optax.stateless(mean)


class _DataParallelPPO(PPO):
    """rejax's PPO inside `shard_map`: gradients are averaged over devices at each minibatch and
    normaliser moments at each iteration, gradients are clipped by their global norm, and the
    learning rate falls."""

    schedule: Any = struct.field(pytree_node=False, default=None)

    @register_init
    def initialize_network_params(self, rng: jax.Array) -> dict[str, TrainState]:
        actor_key, critic_key = jax.random.split(rng)
        observation = jnp.zeros((1, *self.obs_space.shape))
        optimiser = optax.chain(
            _mean_over_devices(),
            optax.clip_by_global_norm(self.max_grad_norm),
            optax.adam(self.schedule, eps=1e-5),
        )

        def state(module: Any, key: jax.Array) -> TrainState:
            return TrainState.create(
                apply_fn=(), params=module.init(key, observation), tx=optimiser
            )

        return {
            "actor_ts": state(self.actor, actor_key),
            "critic_ts": state(self.critic, critic_key),
        }

    def train_iteration(self, ts: Any) -> Any:
        # New start states: with the same few again and again, agents fall from all others.
        rng, key = jax.random.split(ts.rng)
        starts = jax.vmap(self.env.task.reset)(jax.random.split(key, self.num_envs))
        ts = ts.replace(rng=rng, env_state=ts.env_state.replace(next_start=starts))
        ts = super().train_iteration(ts)
        # Not at each step: devices would wait for each other a hundred times an iteration.
        return ts.replace(
            obs_rms_state=_merged(ts.obs_rms_state), rew_rms_state=_merged(ts.rew_rms_state)
        )

    def update_and_normalize_obs(
        self, rms_state: Any, x: jax.Array, batched: bool = True
    ) -> tuple[Any, jax.Array]:
        rms_state = _update_moments(rms_state, x)
        return rms_state, self.normalize_obs(rms_state, x)

    def update_rew_rms(
        self, rms_state: Any, rewards: jax.Array, dones: jax.Array, batched: bool = True
    ) -> Any:
        returns = rewards + (1 - dones) * self.reward_normalization_discount * rms_state.returns
        return _update_moments(rms_state.replace(returns=returns), returns)


def _update_moments(state: Any, x: jax.Array) -> Any:
    """Running mean and variance over the leading axis of `x`, on this device."""
    count = x.shape[0]
    total = state.count + count
    delta = x.mean(axis=0) - state.mean
    between = delta**2 * state.count * count / total
    second = state.var * state.count + x.var(axis=0) * count + between
    return state.replace(mean=state.mean + delta * count / total, var=second / total, count=total)


def _merged(state: Any) -> Any:
    """The moments of all devices together, each with the same count."""
    mean = jax.lax.pmean(state.mean, _AXIS)
    variance = jax.lax.pmean(state.var + (state.mean - mean) ** 2, _AXIS)
    return state.replace(mean=mean, var=variance)


def _algorithm(task: Task, settings: PPOSettings) -> _DataParallelPPO:
    updates = (
        settings.total_steps // settings.steps_an_iteration * settings.epochs * settings.minibatches
    )
    environment = _TrainingEnvironment(task, settings.reward_scale)
    return _DataParallelPPO(
        env=environment,
        env_params=(),
        eval_callback=None,
        actor=GaussianActor(task.action_size, settings.hidden, settings.initial_std),
        critic=VNetwork(settings.value_hidden, jax.nn.tanh),
        num_envs=settings.environments // jax.local_device_count(),
        num_steps=settings.rollout_steps,
        num_epochs=settings.epochs,
        num_minibatches=settings.minibatches,
        schedule=optax.linear_schedule(
            settings.learning_rate, settings.final_learning_rate, max(updates, 1)
        ),
        gamma=settings.discount,
        gae_lambda=settings.gae_lambda,
        clip_eps=settings.clip,
        ent_coef=settings.entropy_weight,
        max_grad_norm=settings.max_gradient_norm,
        normalize_observations=True,
        normalize_rewards=True,
        reward_normalization_discount=settings.discount,
    )


class Trainer:
    """One PPO run as a state and a step over it.

    The state is a pytree whose every leaf has a leading axis of devices, so that it can be
    saved and loaded whole. It is opaque but for `policy`.
    """

    def __init__(self, task: Task, settings: PPOSettings):
        """Raises ValueError where the settings do not divide over this machine's devices."""
        devices = jax.local_device_count()
        if settings.environments % devices:
            raise ValueError(
                f"environments ({settings.environments}) must be a multiple of the number of "
                f"devices ({devices})."
            )
        batch = settings.environments // devices * settings.rollout_steps
        if batch % settings.minibatches:
            raise ValueError(
                f"environments x rollout_steps on each of {devices} devices ({batch}) must be a "
                f"multiple of minibatches ({settings.minibatches})."
            )
        self.task = task
        self.settings = settings
        self._algorithm = _algorithm(task, settings)

    def start(self, seed: int, policy: Policy | None = None) -> Any:
        """The state before the first step.

        Args:
            seed: of the networks, the start states and the action noise.
            policy: begin from this policy and its normaliser in place of a new one. Its
                hidden sizes must be those of the settings.
        """
        algorithm = self._algorithm

        def on_one_device(key: jax.Array) -> Any:
            state = algorithm.init_state(jax.random.key(seed))
            here = jax.random.fold_in(key[0], jax.lax.axis_index(_AXIS))
            state = state.replace(**algorithm.initialize_env_state(here), rng=here)
            if policy is not None:
                state = state.replace(
                    actor_ts=state.actor_ts.replace(params=policy.parameters),
                    obs_rms_state=state.obs_rms_state.replace(
                        mean=policy.observation_mean,
                        var=policy.observation_std**2,
                        # As if a million steps had been seen: the normaliser moves slowly.
                        count=1e6,
                    ),
                )
            state = state.replace(
                last_obs=algorithm.normalize_obs(state.obs_rms_state, state.last_obs)
            )
            return jax.tree.map(lambda x: jnp.asarray(x)[None], state)

        return jax.jit(
            jax.shard_map(
                on_one_device,
                mesh=local_mesh(_AXIS),
                in_specs=P(),
                out_specs=P(_AXIS),
                check_vma=False,
            )
        )(jax.random.split(jax.random.key(seed), 1))

    @partial(jax.jit, static_argnames=("self", "iterations"), donate_argnames="state")
    def advance(self, state: Any, iterations: int) -> Any:
        """The state after that many iterations of rollout and update."""

        def on_one_device(stacked: Any) -> Any:
            inner = jax.tree.map(lambda x: x[0], stacked)
            inner = jax.lax.fori_loop(
                0, iterations, lambda _, s: self._algorithm.train_iteration(s), inner
            )
            return jax.tree.map(lambda x: x[None], inner)

        return jax.shard_map(
            on_one_device,
            mesh=local_mesh(_AXIS),
            in_specs=P(_AXIS),
            out_specs=P(_AXIS),
            check_vma=False,
        )(state)

    def policy(self, state: Any) -> Policy:
        """The policy in a state, with its normaliser frozen."""
        normaliser = state.obs_rms_state
        return Policy(
            parameters=jax.tree.map(lambda x: x[0], state.actor_ts.params),
            observation_mean=normaliser.mean[0],
            observation_std=jnp.sqrt(normaliser.var[0] + 1e-8),
        )
