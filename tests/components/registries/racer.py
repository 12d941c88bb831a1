"""One of two promoters: told when to begin and when to go on by lines on standard input, it says how it ended.

It scores the challenger, says "ready", and waits: the other one has then seen the same champion.
"""

import sys
import tempfile
from pathlib import Path

from components.evaluation.predictions import Predictions
from components.promote.promote import promote
from components.registries.registry import LostRaceError, open_registry
from components.registries.settings import VertexRegistrySettings
from tests.components.promote.challengers import make_challenger, score, settings


def main(place: str, name: str, vertex: str, me: str) -> None:
    registry = open_registry(place, name, VertexRegistrySettings.model_validate_json(vertex))
    losses = {"age_mae": 99, "gender_accuracy": 1, "ethnicity_macro_f1": 1}
    anything = settings(require="not worse", margin=1, losses=losses)
    with tempfile.TemporaryDirectory() as holder:
        for number in sys.stdin:
            folder = make_challenger(Path(holder) / number.strip(), f"{me}, {number.strip()}", signal=3.0)
            try:
                record = promote(registry, folder, InStep(), anything)
                say(f"won {record.version}" if record.decision == "promoted" else record.reason)
            except LostRaceError as error:
                say(f"lost {error}")


class InStep:
    """Scores the challenger, which comes first, when the other promoter is as far."""

    waited = False

    def __call__(self, path: str) -> Predictions:
        if not self.waited:
            self.waited = True
            say("ready")
            sys.stdin.readline()
        return score(path)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
