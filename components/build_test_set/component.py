"""KFP interface of stage 2."""

from kfp.dsl import Artifact, Dataset, Input, Output


def build_test_set(
    manifest: Input[Dataset],
    settings: dict,
    test: Output[Dataset],
    pool: Output[Dataset],
    summary: Output[Artifact],
) -> None:
    """Draw the balanced test set; what remains is the pool.

    Args:
        manifest: Every face.
        settings: The settings section `build_test_set`.
        test: The same number of faces from every gender x ethnicity x age-bin cell.
        pool: The other faces.
        summary: Faces per cell, and shortfalls where the settings allow them.
    """
    from components.build_test_set.build_test_set import build_test_set as run
    from components.build_test_set.settings import BuildTestSetSettings
    from components.digests import require_unchanged, seal
    from components.logs import log_to_console

    log_to_console()
    require_unchanged(manifest)
    facts = run(manifest.path, BuildTestSetSettings.from_parameter(settings), test.path, pool.path, summary.path)
    test.metadata.update(facts)
    seal(test, pool, summary)
