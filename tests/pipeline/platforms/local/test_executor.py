"""What the cache keys of a run in processes cover."""

from types import SimpleNamespace

from pipeline.platforms.local import executor
from pipeline.platforms.local.executor import SubprocessExecutor


def test_another_library_another_python_or_other_code_is_another_key(monkeypatch, tmp_path):
    def library(version):
        monkeypatch.setattr(executor, "distributions", lambda: [SimpleNamespace(name="keras", version=version)])

    (tmp_path / "components").mkdir()
    monkeypatch.setattr(executor, "_ROOT", tmp_path)
    library("3.15.0")
    seen = [SubprocessExecutor().image, SubprocessExecutor().image]
    assert len(set(seen)) == 1
    library("3.15.1")
    seen.append(SubprocessExecutor().image)
    monkeypatch.setattr(executor.sys, "version", "3.99")
    seen.append(SubprocessExecutor().image)
    (tmp_path / "components" / "stage.py").write_text("pass")
    seen.append(SubprocessExecutor().image)
    assert len(set(seen)) == 4
