"""Ways that cost next to nothing, to test the bench itself: a module of their own, as other processes import them."""

import os
import time

from tests.benchmarks.faces import Faces
from tests.benchmarks.harness import Turns


def compute(faces: Faces, turns: Turns, seconds: float = 0.1) -> None:
    """Keep one core busy for so many CPU seconds, and note whose turn it was."""
    turns.units = 2
    for _ in turns:
        with (faces.folder / "order.txt").open("a") as order:
            order.write(f"{seconds:g} ")
        stop = time.process_time() + seconds
        while time.process_time() < stop:
            pass


def hold(faces: Faces, turns: Turns, megabytes: int) -> None:
    """Hold so much memory."""
    for _ in turns:
        bytearray(os.urandom(1)) * (megabytes * 1_000_000)


def fail(faces: Faces, turns: Turns) -> None:
    """Raise in the second turn."""
    for turn in turns:
        if turn:
            raise ValueError("the disk is full")


def leave(faces: Faces, turns: Turns) -> None:
    """Take one turn and end."""
    turns.begin()
    turns.end()


def refuse(faces: Faces, turns: Turns) -> None:
    """Raise before the first turn."""
    raise ValueError("there is no disk")
