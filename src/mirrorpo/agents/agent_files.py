"""Source agents as files: a policy in safetensors and a JSON card that says what it is."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mirrorpo import array_files, files, near_names, standard_error, task_names, typed, versions
from mirrorpo.simulation import evaluation, host_rollout, policy_kinds, rollout, tasks
from mirrorpo.simulation.evaluation import SHORT_EPISODE
from mirrorpo.simulation.own_policy import Actor, OwnPolicy
from mirrorpo.simulation.policy import Policy
from mirrorpo.simulation.policy_kinds import PolicyKind
from mirrorpo.user_text import UserText

FORMAT = "mirrorpo-agent"
FORMAT_VERSION = 2
NOISE_EPISODES = 8


@dataclass(frozen=True)
class AgentCard:
    """What a source agent is.

    Attributes:
        name: the agent's name.
        task: on which it was trained and scored.
        backend: physics engine of that task.
        return_mean: mean true return, sampled actions.
        return_standard_error: the standard error of that mean.
        episodes: number of episodes behind the mean.
        evaluation_seed: the seed of those episodes.
        environment_steps: environment steps of its training.
        seed: the seed of its training.
        settings: the settings of its training.
        noise: root mean square difference between its sampled and its mean motor commands;
            None where it was not measured.
        short_episodes: share of its episodes that end within `SHORT_EPISODE` steps; None where
            it was not measured.
        versions: the versions of the packages that trained it.
    """

    name: str
    task: str
    backend: str
    return_mean: float
    return_standard_error: float
    episodes: int
    evaluation_seed: int
    environment_steps: int
    seed: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    noise: float | None = None
    short_episodes: float | None = None
    versions: Mapping[str, str] = field(default_factory=versions.installed)


def save(path: Path | str, policy: Policy, card: AgentCard) -> None:
    """Write `path` (safetensors) and, beside it, the card with the file's checksum."""
    path = Path(path).with_suffix(".safetensors")
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "mean_limit": policy.mean_limit,
        **asdict(card),
    }
    arrays = pack(policy)
    files.write_with_card(path, lambda to: array_files.save_arrays(to, arrays, content), content)


def load(name_or_path: Path | str) -> tuple[Policy, AgentCard]:
    """A shipped agent by name, or any agent by its file's path.

    Raises:
        ValueError: no such agent; a truncated, foreign or changed file.
    """
    path = find(name_or_path)
    card = array_files.load_card(path, FORMAT, "an agent file")
    files.check_version(path, card, FORMAT_VERSION)
    files.check_card(path, "an agent")
    unit = card.get("action_unit", 1.0)
    if unit != 1.0:
        raise ValueError(
            f"{path} was made by MirrorPO 0.1.0 and acts in units of {unit!r:.20} motor "
            "commands, which are no longer supported: take one of the shipped agents, or train one."
        )
    arrays = array_files.load_arrays(path, "an agent file")
    try:
        # Version 0.1.0 knew no bound of the mean.
        limit = typed.check(card.get("mean_limit"), float | None, "mean_limit")
        return unpack(arrays, limit), typed.build(AgentCard, card, unknown=True)
    except ValueError as error:
        raise ValueError(f"{path} is not an agent file: {error}") from None


def find(name_or_path: Path | str) -> Path:
    """The file of an agent, by shipped name or by path."""
    path = Path(name_or_path)
    if path.suffix == ".safetensors" or path.is_file():
        return path
    if path.with_suffix(".safetensors").is_file():
        return path.with_suffix(".safetensors")
    shipped_agents = {p.stem: p for p in _shipped_files()}
    if str(name_or_path) in shipped_agents:
        return shipped_agents[str(name_or_path)]
    hint = near_names.hint(str(name_or_path), shipped_agents)
    raise ValueError(
        f"No agent named {str(name_or_path)!r}, and no such file.{hint} "
        f"Shipped agents: {', '.join(sorted(shipped_agents)) or 'none'}."
    )


def shipped() -> tuple[AgentCard, ...]:
    """The cards of all agents that come with the package."""
    return tuple(load(path)[1] for path in _shipped_files())


def _shipped_files() -> list[Path]:
    return sorted(files.asset("agents").glob("*.safetensors"))


def load_source(name: Path | str, option: str) -> tuple[Actor, dict[str, Any]]:
    """A source of trajectories, and what a card says of it.

    The source is an agent as `load` finds it, or a policy of the user's, ``FILE.py:FUNCTION``.

    Args:
        name: the agent's name or file; a file of code must be the user's own text.
        option: the option by which the user can name it, for messages.

    Raises:
        ValueError: see `load` and `OwnPolicy.load`.
    """
    if task_names.names_function(str(name)):
        own = OwnPolicy.load(name if isinstance(name, UserText) else str(name), option)
        return own, {"name": own.name, "code": own.code}
    policy, card = load(name)
    return policy, asdict(card)


def source_checksum(name: Path | str) -> str:
    """Identity of a source: its file's checksum, and the function in it."""
    if task_names.names_function(str(name)):
        path, _, function = str(name).rpartition(":")
        return f"{files.checksum(path)}:{function}"
    return files.checksum(find(name))


def evaluate(
    policy: Actor,
    task: tasks.AnyTask,
    episodes: int = 100,
    seed: int = 0,
    deterministic: bool = False,
) -> tuple[float, float]:
    """Mean true return of one policy, and its standard error over episodes; see `returns`."""
    return standard_error.mean_and_error(returns(policy, task, episodes, seed, deterministic))


def returns(
    policy: Actor, task: tasks.AnyTask, episodes: int, seed: int, deterministic: bool
) -> np.ndarray:
    """True return of each episode of one policy, shape (episodes,), float32.

    A policy of the user's acts as it does, `deterministic` or not.
    """
    if isinstance(policy, OwnPolicy):
        return evaluation.score_own(policy, task, episodes, seed).returns[0]
    stacked = jax.tree.map(lambda x: x[None], policy)
    return evaluation.returns(stacked, task, episodes, seed, deterministic)[0]


def measured(policy: Policy, task: tasks.AnyTask, card: AgentCard) -> AgentCard:
    """The card with what its episodes show.

    These are the return over `card.episodes` episodes of seed `card.evaluation_seed`, the share of
    short ones, and the size of the policy's noise.
    """
    stacked = jax.tree.map(lambda x: x[None], policy)
    found = evaluation.score(stacked, task, card.episodes, card.evaluation_seed)
    keys = rollout.episode_keys(jax.random.key(card.evaluation_seed), NOISE_EPISODES)
    seen: rollout.Episodes | host_rollout.HostEpisodes
    if tasks.is_compiled(task):
        seen = jax.jit(partial(rollout.record, task))(policy, *keys)
    else:
        one = np.zeros(NOISE_EPISODES, int)
        seen = host_rollout.run(task, host_rollout.several(stacked), one, *keys, record=True)
    # As motors take them: a mean without a bound may ask for more.
    quiet, sampled = (
        jax.numpy.clip(actions, -1.0, 1.0)
        for actions in (policy.act(jax.numpy.asarray(seen.observations), None), seen.actions)
    )
    valid = np.arange(quiet.shape[1]) < np.asarray(seen.length)[:, None]
    noise = np.sqrt(np.mean(np.asarray(sampled - quiet) ** 2, axis=-1))[valid]
    mean, error = standard_error.mean_and_error(found.returns[0])
    return replace(
        card,
        return_mean=mean,
        return_standard_error=error,
        short_episodes=float(np.mean(found.lengths[0] < SHORT_EPISODE)),
        # Numbers of choices have no distance.
        noise=round(float(noise.mean()), 4) if policy.choices is None else None,
    )


def pack(policy: Policy) -> dict[str, np.ndarray]:
    """A policy's arrays by name."""
    layers = policy.parameters["params"]
    arrays = {
        f"{layer}.{kind}": np.asarray(value)
        for layer, content in layers.items()
        if isinstance(content, Mapping)
        for kind, value in content.items()
    }
    return {
        **arrays,
        **{name: np.asarray(layers[name]) for name in policy.kind.extra},
        "observation_mean": np.asarray(policy.observation_mean),
        "observation_std": np.asarray(policy.observation_std),
    }


def unpack(arrays: Mapping[str, np.ndarray], mean_limit: float | None = 1.0) -> Policy:
    """The policy of `pack`'s arrays, with its bound of the mean; see `GaussianActor`.

    Raises:
        ValueError: arrays are missing, or do not fit each other.
    """
    parameters: dict[str, Any] = {}
    for name, value in arrays.items():
        layer, dot, kind = name.partition(".")
        if dot:
            parameters.setdefault(layer, {})[kind] = jax.numpy.asarray(value)
    found = policy_kinds.with_layers(parameters) if "layers_0" in parameters else None
    needed = {"observation_mean", "observation_std", *(found.extra if found else ())}
    missing = needed - set(arrays)
    if missing or found is None:
        raise ValueError(
            f"Not a policy: arrays are missing ({', '.join(sorted(missing)) or 'layers'})."
        )
    _check_sizes(arrays, len(parameters) - 1, found)
    for name in found.extra:
        parameters[name] = jax.numpy.asarray(arrays[name])
    return Policy(
        {"params": parameters},
        jax.numpy.asarray(arrays["observation_mean"]),
        jax.numpy.asarray(arrays["observation_std"]),
        mean_limit,
    )


def _check_sizes(arrays: Mapping[str, np.ndarray], layers: int, kind: PolicyKind) -> None:
    """Raise ValueError where a policy's arrays do not fit together.

    They must be float32, and their sizes follow from one another.
    """
    wrong = [name for name, array in arrays.items() if array.dtype != np.float32]
    size = arrays["observation_mean"].shape
    shapes = {"observation_std": size}
    for layer in (*(f"layers_{number}" for number in range(layers)), kind.last):
        kernel = arrays.get(f"{layer}.kernel", np.empty(0))
        if kernel.ndim != 2 or kernel.shape[:1] != size:
            wrong.append(f"{layer}.kernel")
            break
        size = kernel.shape[1:]
        shapes[f"{layer}.bias"] = size
    else:
        shapes |= dict.fromkeys(kind.extra, size)
    wrong += [name for name, s in shapes.items() if name not in arrays or arrays[name].shape != s]
    if wrong:
        raise ValueError(f"Not a policy: {wrong[0]} is missing or does not fit the other arrays.")
