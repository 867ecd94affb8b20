"""MirrorPO: measure, discover and transfer preference-optimisation objectives."""

from mirrorpo.versions import package_version

__version__ = package_version()
