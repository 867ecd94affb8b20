"""The command line with the task "point", on workers of a Ray cluster too."""

import sys

from mirrorpo.cli import main
from mirrorpo.execution import ray_cluster
from tests import point_task


class PointActor(ray_cluster._Actor):
    """A worker that knows the task."""

    def __init__(self, supply):
        assert point_task.NAME == "point"  # imported with this file, on the worker
        super().__init__(supply)


if __name__ == "__main__":
    # By name, so that a worker imports this file and with it the task.
    from tests.reliability.ray_driver import PointActor as Importable

    ray_cluster._Actor = Importable
    main(sys.argv[1:])
