"""What an MLflow server is told of a run."""

import json

import pytest

from components.errors import RequestError
from components.mlflow_server import MlflowError, connect
from components.track.settings import TrackingSettings
from components.track.track import track
from components.training.record import HISTORY_FILE
from pipeline.settings import load_settings
from tests.components.compare.comparisons import make_comparison
from tests.components.simulation import simulate_predictions, simulate_run

SEEDS = (1, 2)


@pytest.fixture
def told(tmp_path):
    """Give a function that tracks a comparison of two variants with two seeds each."""
    comparison = make_comparison({"baseline": 0.6, "ins": 0.7}, seeds=SEEDS)
    comparison.write(tmp_path / "comparison")
    (tmp_path / "report").write_text("<html>", encoding="utf-8")
    paths = []
    for variant in ("baseline", "ins"):
        for seed in SEEDS:
            path = tmp_path / f"{variant}-{seed}"
            path.mkdir()
            run = simulate_run(simulate_predictions(variant, seed))
            run.record.write(path)
            run.history.to_parquet(path / HISTORY_FILE)
            (path / "saved_model.pb").write_bytes(b"model")
            paths.append(str(path))

    def tell(uri, source="gs://faces/UTKFace.tar.gz", name="weekly-7", **options):
        return comparison, track(
            comparison_path=str(tmp_path / "comparison"), report_path=str(tmp_path / "report"), model_paths=paths,
            source=source, run_name=name, settings=TrackingSettings(mlflow_uri=uri, **options),
        )  # fmt: skip

    return tell


def test_each_variant_and_seed_is_a_run_below_one_parent(told, mlflow_url):
    comparison, record = told(mlflow_url)
    client = connect(mlflow_url)
    assert record.experiment == "evenface/UTKFace"
    parent = client.get_run(record.run_id)
    assert parent.info.run_name.endswith("weekly-7")
    assert "@" in parent.info.run_name
    assert {file.path for file in client.list_artifacts(record.run_id)} == {"comparison.json", "report.html"}
    row = comparison.variants["ins"]
    for end in ("value", "low", "high"):
        name = "ins/ethnicity_macro_f1" + ("" if end == "value" else f"/{end}")
        assert parent.data.metrics[name] == pytest.approx(getattr(row.ethnicity_macro_f1, end))

    children = {(each.variant, each.seed): client.get_run(each.run_id) for each in record.runs}
    assert set(children) == {(variant, seed) for variant in ("baseline", "ins") for seed in SEEDS}
    child = children["ins", 2]
    assert child.data.tags["mlflow.parentRunId"] == record.run_id
    assert child.data.params["seed"] == "2"
    assert child.data.params["hyperparameters.learning_rate"]
    by_epoch = client.get_metric_history(child.info.run_id, "epoch/val_loss")
    assert [(metric.step, metric.value) for metric in by_epoch] == [(1, 3.5), (2, 3.0)]
    assert [metric.step for metric in client.get_metric_history(child.info.run_id, "epoch/loss")] == [1]  # No NaN.
    assert child.data.metrics["test/ethnicity_macro_f1"] == pytest.approx(row.ethnicity_macro_f1.by_seed["2"])
    assert {file.path for file in client.list_artifacts(child.info.run_id, "model")} == {
        "model/saved_model.pb", "model/variant.json", "model/history.parquet"
    }  # fmt: skip

    again = told(mlflow_url)[1]
    assert again == record, "an attempt after a finished one logs nothing twice"
    other = told(mlflow_url, source="/data/UTKFace", experiment="mine", models=False)[1]
    assert (other.experiment, other.run_id != record.run_id) == ("mine", True)


def test_a_server_that_cannot_be_told_fails_the_run_only_where_it_must(told, monkeypatch):
    pytest.importorskip("mlflow", reason="MLflow's client is not installed: install evenface[mlflow]")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    nobody = "http://127.0.0.1:9"
    record = told(nobody)[1]
    assert record.run_id is None
    assert record.problem.startswith(f"The MLflow server {nobody} could not be reached or refuses (")
    json.dumps(record.to_json())
    with pytest.raises(MlflowError):
        told(nobody, required=True)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("ftp://tracking.example", "is not one of a server: write https://HOST"),
        ("https://me:secret@tracking.example", "holds credentials: set MLFLOW_TRACKING_TOKEN in the environment"),
    ],
)
def test_an_address_that_is_none_is_refused_with_the_settings(uri, said):
    with pytest.raises(RequestError, match=said) as refused:
        load_settings("demo", overrides=[f"tracking.mlflow_uri={uri}"])
    assert "secret" not in str(refused.value)
