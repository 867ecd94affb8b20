"""The kinds of policies: how one acts, and how it is told from its parameters.

Another kind is an actor and its `PolicyKind`, registered by `register`. `new_policy(kind=...)`
makes such a policy; agents that start from it train, act and are saved as any other.

An actor is a flax module of dense layers ``layers_0``, ``layers_1``, ..., and a last one that its
kind names. Its methods take normalised observations, shape (..., observations):

- ``log_prob(observation, action)``: log-density of actions, shape (..., actions); shape (...)
- ``log_agreement(observation)``: log of the integral of the squared density; shape (...)
- ``sample(observation, key)``: actions; shape (..., actions)
- ``mode(observation)``: the mean or the likeliest actions; shape (..., actions)
- ``entropy(observation)``: in nats, for PPO; shape (...), or a scalar
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from flax import linen as nn

from mirrorpo.simulation.categorical import CategoricalActor
from mirrorpo.simulation.gaussian import GaussianActor


@dataclass(frozen=True)
class PolicyKind:
    """One kind of policy.

    Attributes:
        name: the name by which `new_policy` takes it.
        last: name of its actor's last layer, which no other kind has.
        actor: makes the actor, from the width of the last layer, the hidden layers' widths, the
            initial standard deviation and the limit of the mean; it may ignore the last two.
        outputs: width of the last layer, from the numbers of an action and the number of choices,
            which is None where actions are real numbers.
        action_size: numbers of an action, from the width of the last layer.
        choices: number of discrete actions, from the width of the last layer; None where actions
            are real numbers.
        extra: names of parameters beside the layers, each with one number per output.
    """

    name: str
    last: str
    actor: Callable[[int, tuple[int, ...], float, float | None], nn.Module]
    outputs: Callable[[int, int | None], int] = lambda size, choices: size
    action_size: Callable[[int], int] = lambda outputs: outputs
    choices: Callable[[int], int | None] = lambda outputs: None
    extra: tuple[str, ...] = ()


_KINDS: dict[str, PolicyKind] = {}


def register(kind: PolicyKind) -> None:
    """Add a kind of policy.

    Raises:
        ValueError: its name, or the name of its last layer, is another kind's.
    """
    if kind.name in _KINDS or kind.last in {one.last for one in _KINDS.values()}:
        raise ValueError(f"A kind of policy with {kind.name!r} or {kind.last!r} is there already.")
    _KINDS[kind.name] = kind


def with_layers(names: Collection[str]) -> PolicyKind | None:
    """The kind of a policy whose parameters have these names; None if no kind is known."""
    return next((kind for kind in _KINDS.values() if kind.last in names), None)


def of(parameters: Any) -> PolicyKind:
    """The kind of a policy with these parameters.

    Raises:
        ValueError: of no kind that is known.
    """
    found = with_layers(parameters["params"])
    if found is None:
        raise ValueError(f"Not a policy: it has no last layer ({', '.join(_KINDS)}).")
    return found


def actor_of(
    action_size: int,
    choices: int | None,
    hidden: tuple[int, ...],
    initial_std: float,
    mean_limit: float | None = 1.0,
    kind: str | None = None,
) -> nn.Module:
    """A new actor. Without a name: gaussian for continuous actions, categorical for choices.

    Raises:
        ValueError: no such kind.
    """
    name = kind or ("gaussian" if choices is None else "categorical")
    if name not in _KINDS:
        raise ValueError(f"Unknown kind of policy {name!r}; known: {', '.join(_KINDS)}.")
    found = _KINDS[name]
    return found.actor(found.outputs(action_size, choices), hidden, initial_std, mean_limit)


register(PolicyKind("gaussian", last="mean", actor=GaussianActor, extra=("raw_std",)))
register(
    PolicyKind(
        "categorical",
        last="logits",
        actor=lambda outputs, hidden, initial_std, mean_limit: CategoricalActor(outputs, hidden),
        outputs=lambda size, choices: choices or size,
        action_size=lambda outputs: 1,
        choices=lambda outputs: outputs,
    )
)
