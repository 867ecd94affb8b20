"""The workload in PyTorch: agents vectorised by `torch.func.vmap`, or one after another."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch.func import grad, vmap

from .workload import BETA, LEARNING_RATE, MAX_GRADIENT_NORM, SFT_WEIGHT, STD_FLOOR, Workload


def mean_log_prob(parameters, observations, actions):
    """Log-prob of each trajectory, summed over action dimensions, mean over time steps."""
    x = torch.tanh(observations @ parameters["kernel_0"] + parameters["bias_0"])
    x = torch.tanh(x @ parameters["kernel_1"] + parameters["bias_1"])
    mean = x @ parameters["kernel_2"] + parameters["bias_2"]
    std = STD_FLOOR * (1 + parameters["raw_std"].exp())
    normal = torch.distributions.Normal(mean, std, validate_args=False)
    return normal.log_prob(actions).sum(-1).mean(-1)


def loss(parameters, batch):
    chosen, rejected = mean_log_prob(parameters, batch["observations"], batch["actions"])
    log_sigmoid = torch.nn.functional.logsigmoid(BETA * (chosen - rejected))
    return -(log_sigmoid + SFT_WEIGHT * chosen).mean()


def trainer(
    work: Workload,
    arrays: Mapping[str, np.ndarray],
    start: Mapping[str, np.ndarray],
    orders: np.ndarray,
    vectorised: bool,
) -> Callable[[], dict[str, np.ndarray]]:
    """A function that trains all agents, and returns their parameters with a leading axis."""
    data = {name: torch.from_numpy(array) for name, array in arrays.items()}
    order = torch.from_numpy(orders)
    one = {name: torch.from_numpy(array) for name, array in start.items()}
    return lambda: _vectorised(one, data, order) if vectorised else _loop(one, data, order)


def _loop(start, data, orders):
    trained = []
    for order in orders:
        parameters = {name: x.clone().requires_grad_() for name, x in start.items()}
        optimiser = torch.optim.Adam(parameters.values(), lr=LEARNING_RATE)
        for rows in order:
            optimiser.zero_grad()
            loss(parameters, {name: x[:, rows] for name, x in data.items()}).backward()
            torch.nn.utils.clip_grad_norm_(parameters.values(), MAX_GRADIENT_NORM)
            optimiser.step()
        trained.append(parameters)
    return {name: np.stack([agent[name].detach().numpy() for agent in trained]) for name in start}


def _vectorised(start, data, orders):
    agents = len(orders)
    parameters = {name: torch.stack([x] * agents).requires_grad_() for name, x in start.items()}
    # Adam looks at each number alone, so one Adam serves all agents; the clipping is by agent.
    optimiser = torch.optim.Adam(parameters.values(), lr=LEARNING_RATE)
    gradients_of = vmap(grad(loss))
    for rows in orders.transpose(0, 1):
        with torch.no_grad():
            # Agents first, as vmap wants them.
            batch = {name: x[:, rows].movedim(1, 0) for name, x in data.items()}
            gradients = gradients_of(parameters, batch)
            square = sum(x.square().flatten(1).sum(1) for x in gradients.values())
            scale = (MAX_GRADIENT_NORM / square.sqrt()).clamp(max=1)
            for name, x in gradients.items():
                parameters[name].grad = x * scale.view(-1, *[1] * (x.ndim - 1))
        optimiser.step()
    return {name: x.detach().numpy() for name, x in parameters.items()}
