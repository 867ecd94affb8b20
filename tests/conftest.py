"""Two CPU devices for every test, and compiled programs kept between runs."""

import os
import tempfile
from pathlib import Path

import jax

from mirrorpo.control.devices import use_all_cores

use_all_cores(2)
_cache = os.environ.get("MIRRORPO_CACHE", str(Path(tempfile.gettempdir()) / "mirrorpo-tests"))
jax.config.update("jax_compilation_cache_dir", str(Path(_cache) / "jax"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
