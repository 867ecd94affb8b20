"""Orders on a Ray cluster: an actor for each GPU, or for each CPU core where there is none.

The supply goes to each node once, through Ray's object store; after that only objectives, seeds,
curves and scores cross the network. The driver alone writes files. A lost actor loses the order
that it was at: the order goes to another, and a new actor is asked for. Where losses repeat, it is
the order's fault if it had begun each time, else the cluster's.
"""

import os
import re
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Generic

import jax

from mirrorpo.execution.workers import AnyOrder, AnySupply, Done, Given
from mirrorpo.runtime.devices import FEWEST_DEVICES, keep_compiled_programs, use_all_cores

REACH_SECONDS = 10.0
"""How long a cluster's address may take to accept a connection."""

ANSWER_SECONDS = 10.0
"""How long what a lost worker had sent may take to be found."""

JOIN_SECONDS = 60.0
"""How long joining a cluster may take, a look for one with "auto" included."""

LOSSES_AN_ORDER = 5
"""Workers that may be lost while they work on one order before the run gives up."""

LOSSES_IN_A_ROW = 4
"""Workers per device that may be lost in a row before they begin an order."""


@contextmanager
def connect(address: str) -> Iterator["Cluster"]:
    """Join a cluster until the context ends.

    Args:
        address: HOST:PORT of a cluster that this machine is a node of; "auto" for the one in
            ``RAY_ADDRESS``, else the one that was started on this machine; "local:N" for a new one
            of N cores on 127.0.0.1, which ends with the context.

    Raises:
        ValueError: not an address, or no cluster answers there in `REACH_SECONDS` and
            `JOIN_SECONDS`.
        ModuleNotFoundError: Ray is not installed.
    """
    # Ray sends statistics about itself to its makers unless told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # JAX takes most of a GPU's memory when it starts. The driver simulates trajectories and then
    # waits: it must leave that memory to a worker on the same GPU.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    ray = _import_ray()
    kind, _, cores = address.partition(":")
    quiet: dict[str, Any] = {"logging_level": "error", "log_to_driver": False}
    if kind == "local":
        if not cores.isdecimal() or int(cores) < 1:
            raise ValueError(
                f"{address!r}: write local:N for a Ray cluster of N cores on this machine."
            )
        ray.init(
            num_cpus=int(cores),
            num_gpus=0,
            include_dashboard=False,
            _node_ip_address="127.0.0.1",
            **quiet,
        )
    else:
        ray.init(address=_answering(address), **quiet)
    try:
        yield Cluster(ray)
    finally:
        ray.shutdown()


def _import_ray() -> ModuleType:
    try:
        import ray
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise ModuleNotFoundError(
            "Work on a cluster needs the package ray, which is not installed: "
            "pip install 'mirrorpo[cluster]'",
            name="ray",
        ) from None
    return ray


def _answering(address: str) -> str:
    """The address of a cluster that accepts connections.

    Ray itself would retry for minutes and then end the process.
    """
    given = os.environ.get("RAY_ADDRESS") or "auto" if address == "auto" else address
    if given != "auto":
        host, _, port = given.rpartition(":")
        if not host or not port.isdecimal() or "/" in host:
            raise ValueError(f"{given!r} is not a Ray address: use auto, HOST:PORT or local:N.")
        try:
            socket.create_connection((host, int(port)), REACH_SECONDS).close()
        except (OSError, OverflowError) as error:
            raise ValueError(
                f"No Ray cluster at {given}: {error} (waited at most {REACH_SECONDS:.0f} s)."
            ) from None
    script = (
        "import sys, ray\n"
        "ray.init(address=sys.argv[1], logging_level='error', log_to_driver=False)\n"
        "print(ray.get_runtime_context().gcs_address)\n"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", script, given],
            capture_output=True,
            text=True,
            timeout=JOIN_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(
            f"The Ray cluster at {given} did not let this process join in {JOIN_SECONDS:.0f} s: "
            "is the address that of its head, and is this machine one of its nodes?"
        ) from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ValueError(f"Cannot join the Ray cluster at {given}: {said}")
    return done.stdout.split()[-1]


class Cluster:
    """A cluster that this process has joined; a `workers.Workplace`."""

    def __init__(self, ray: ModuleType):
        self._ray = ray

    @contextmanager
    def workers(self, supply: AnySupply[Given, Done]) -> Iterator["_Actors[Given, Done]"]:
        actors = _Actors(self._ray, supply)
        try:
            yield actors
        finally:
            actors.stop()


@dataclass(frozen=True)
class _Task:
    """An order that an actor has been given.

    Attributes:
        actor: which one.
        position: the order's index in the call.
        begun: a reply that the actor sends just before it begins.
    """

    actor: Any
    position: int
    begun: Any


class _Actors(Generic[Given, Done]):
    """One actor for each device; a `workers.Workers`."""

    def __init__(self, ray: ModuleType, supply: AnySupply[Given, Done]):
        self._ray = ray
        self._supply = ray.put(supply.portable())
        resources = ray.cluster_resources()
        gpus = int(resources.get("GPU", 0))
        self.count = gpus or int(resources.get("CPU", 0))
        if not self.count:
            raise ValueError("The Ray cluster has neither a GPU nor a CPU core to work on.")
        self._actor = ray.remote(num_cpus=1, num_gpus=1 if gpus else 0)(_Actor)
        # Replies that are awaited: of actors that start, and of actors at an order.
        self._starting: dict[Any, Any] = {}
        self._working: dict[Any, _Task] = {}
        self._idle: list[Any] = []
        self._lost_in_a_row = 0
        for _ in range(self.count):
            self._start_one()
        self.agents_at_once = self._first_size()

    def stop(self) -> None:
        for actor in [
            *self._idle,
            *self._starting.values(),
            *(task.actor for task in self._working.values()),
        ]:
            self._ray.kill(actor)

    def work_off(self, orders: Sequence[Given]) -> Iterator[tuple[int, Done]]:
        self._send_users_code(orders)
        waiting = deque(range(len(orders)))
        losses = [0] * len(orders)
        while waiting or self._working:
            while waiting and self._idle:
                self._give(waiting.popleft(), orders)
            reply = self._next_reply()
            if reply in self._starting:
                self._started(reply)
                continue
            task = self._working.pop(reply)
            try:
                scored = self._ray.get(reply)
            except self._ray.exceptions.RayTaskError as error:
                self._idle.append(task.actor)
                raise error.cause from None
            except self._ray.exceptions.RayError as error:
                self._ray.kill(task.actor)
                if self._had_begun(task):
                    losses[task.position] += 1
                    if losses[task.position] == LOSSES_AN_ORDER:
                        raise ValueError(
                            f"{LOSSES_AN_ORDER} workers were lost over the same agents. Is there "
                            f"enough memory for them? {_reason(error)}"
                        ) from None
                else:
                    self._count_loss(error)
                waiting.appendleft(task.position)
                self._start_one()
                continue
            self._lost_in_a_row = 0
            self._idle.append(task.actor)
            yield task.position, scored

    def _give(self, position: int, orders: Sequence[AnyOrder]) -> None:
        actor = self._idle.pop()
        begun = actor.is_there.remote()  # an actor answers in the order of its calls
        self._working[actor.work_off.remote(orders[position])] = _Task(actor, position, begun)

    def _had_begun(self, task: _Task) -> bool:
        """Whether a lost actor had begun its order: else it was lost while it was idle."""
        try:
            return bool(self._ray.get(task.begun, timeout=ANSWER_SECONDS))
        except self._ray.exceptions.RayError:
            return False

    def _count_loss(self, error: BaseException) -> None:
        """Count a worker that was lost before it began an order; many in a row end the run."""
        self._lost_in_a_row += 1
        if self._lost_in_a_row == LOSSES_IN_A_ROW * self.count:
            raise ValueError(
                f"Workers cannot start or stay on the Ray cluster: {self._lost_in_a_row} were "
                f"lost in a row. {_reason(error)} Every node needs the same version of mirrorpo "
                "and Python."
            ) from None

    def _send_users_code(self, orders: Sequence[AnyOrder]) -> None:
        """Let classes of a user's own file travel with their objects: workers lack the file."""
        modules = {type(objective).__module__ for one in orders for objective in one.objectives}
        for name in modules:
            if name.partition(".")[0] != "mirrorpo":
                self._ray.cloudpickle.register_pickle_by_value(sys.modules[name])

    def _next_reply(self) -> Any:
        awaited = [*self._working, *self._starting]
        done, _ = self._ray.wait(awaited, num_returns=1)
        return done[0]

    def _start_one(self) -> None:
        actor = self._actor.remote([self._supply])  # in a list: fetched by the actor, when ready
        self._starting[actor.agents_at_once.remote()] = actor

    def _started(self, reply: Any) -> int | None:
        """What a new actor says of its size; None where it could not start."""
        actor = self._starting.pop(reply)
        try:
            size = self._ray.get(reply)
        except self._ray.exceptions.RayError as error:
            self._count_loss(error)
            self._start_one()
            return None
        self._idle.append(actor)
        return size

    def _first_size(self) -> int:
        while True:
            size = self._started(self._next_reply())
            if size is not None:
                return size


class _Actor:
    """A worker in a process of its own, with one GPU or one CPU core."""

    def __init__(self, supply: Sequence[Any]):
        import ray

        # The driver's choice of devices, which a local cluster inherits, is not for one of many.
        flags = os.environ.get("XLA_FLAGS", "")
        flags = re.sub(r"--xla_force_host_platform_device_count=\d+", "", flags)
        os.environ["XLA_FLAGS"] = flags.strip()
        os.environ.pop("NPROC", None)
        # On its one core: the driver's digits are those of several devices.
        use_all_cores(devices=FEWEST_DEVICES)
        if not ray.get_gpu_ids():
            jax.config.update("jax_platforms", "cpu")
            os.environ["CUDA_VISIBLE_DEVICES"] = ""  # PyTorch would take a GPU that it sees
        keep_compiled_programs()
        # Only now: what is in the supply makes arrays.
        self._worker = ray.get(supply[0]).worker()

    def agents_at_once(self) -> int:
        return self._worker.agents_at_once

    def is_there(self) -> bool:
        return True

    def work_off(self, order: AnyOrder) -> Any:
        return self._worker.work_off(order)


def _reason(error: BaseException) -> str:
    """The last line of what Ray says, which names the cause."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
