"""`evenface variants`."""


def test_variants_lists_each_with_its_cures_source_and_settings(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    shown = command("variants")
    assert shown.code == 0
    assert shown.out.splitlines()[0].split() == ["name", "age", "gender", "ethnicity", "resampling"]
    rows = {line.split()[0]: number for number, line in enumerate(shown.out.splitlines()) if line[:1].isalpha()}
    assert {"baseline", "ins", "downsample", "denseweight_lmf", "cell_balanced"} <= set(rows)
    lines = shown.out.splitlines()[rows["ldam_drw"] :][:6]
    assert lines[0].split() == ["ldam_drw", "none", "none", "ldam", "+", "drw", "none"]
    below = " ".join(" ".join(lines[1:]).split())
    assert "Cao et al. 2019 (arXiv 1906.07413)" in below
    for parameter in ("ldam.head=linear", "ldam.max_margin=0.5", "ldam.scale=1.0", "drw.beta=0.9999"):
        assert parameter in below
