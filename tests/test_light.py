"""`anmok predict` without torch: the same flags as with it."""

from anmok.cli import SHIPPED, light
from anmok.ship.container import SUFFIX
from anmok.verbs.settings import PredictSettings


def test_one_ending() -> None:
    assert SHIPPED == SUFFIX


def test_flags_are_those_of_the_settings() -> None:
    own = {"help", "model", "pictures", "json", "quiet"}
    for action in light.parser()._actions:
        if action.dest in own:
            continue
        field = PredictSettings.model_fields[action.dest]
        assert action.option_strings == [f"--{action.dest.replace('_', '-')}"]
        assert action.help == (field.description or "").removesuffix(" (classify)")
