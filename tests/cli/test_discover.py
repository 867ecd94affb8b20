"""The command line of a discovery takes what its documentation shows."""

import pytest

from mirrorpo import cli


@pytest.mark.parametrize("option", ["--variant", "--variants"])
def test_a_variant_is_named_in_the_singular_or_the_plural(option):
    cli.parse(
        [
            "discover",
            option,
            "noisy:0.3",
            "--family",
            "one-step",
            "--learn",
            "psi,inverse_potential,link",
        ]
    )
    with pytest.raises(SystemExit) as ended:
        cli.parse(["discover", f"{option}-of", "noisy:0.3"])
    assert ended.value.code == 2
