"""Abstract faces in a table, with made-up classes and ages in months, drawn on the spot."""

import csv
from collections.abc import Collection
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("Oak", "Elm <b>", "Ash, grey")
GENDERS = ("man", "woman")
OLDEST_MONTHS = 2000
COLUMNS = "preprocess.table={image: photo, age: months, gender: sex, ethnicity: kind}"


def write_own_faces(folder: Path, faces: int = 400, seed: int = 0, without: Collection[str] = ()) -> Path:
    """Write pictures and the table that lists them, with four rows that are no faces; return the table.

    The first class has six of ten faces, the last one; its colour tells a class, a brighter half the gender. The
    columns of ``without`` are left out.
    """
    rng = np.random.default_rng(seed)
    (folder / "pictures").mkdir()
    rows = []
    for number in range(faces):
        months, gender, kind = (
            int(rng.integers(1, OLDEST_MONTHS + 1)),
            int(rng.integers(2)),
            rng.choice(3, p=[0.6, 0.3, 0.1]),
        )
        pixels = rng.integers(0, 40, (32, 32, 3)).astype(np.uint8)
        pixels[..., kind] += 120
        pixels[:, :16] += np.uint8(60 * gender)
        pixels[: 32 * months // OLDEST_MONTHS] //= 2
        Image.fromarray(pixels).save(folder / "pictures" / f"{number}.png")
        rows.append((f"pictures/{number}.png", months, GENDERS[gender], CLASSES[kind]))
    rows[0] = (rows[0][0], OLDEST_MONTHS, *rows[0][2:])
    rows += [rows[0], ("pictures/none.png", 12, "man", "Oak"), ("pictures/1.png", "", "man", "Oak")]
    Image.fromarray(rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)).save(folder / "pictures" / "yew.png")
    rows.append(("pictures/yew.png", 24, "man", "Yew"))
    table = folder / "faces.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        columns = ("photo", "months", "sex", "kind")
        kept = [place for place, column in enumerate(columns) if column not in without]
        csv.writer(file).writerows([row[place] for place in kept] for row in (columns, *rows))
    return table
