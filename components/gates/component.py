"""KFP interfaces of the gates before training."""

from typing import NamedTuple

from kfp.dsl import Artifact, Input, Output


def gates(summary: Input[Artifact], reference: dict, settings: dict, findings: Output[Artifact]) -> None:
    """Compare the data with that which the champion was made from; stop the run where a gate says so.

    Args:
        summary: What preprocess counted, with the profile of the data.
        reference: Profile of the champion's data; empty if there is no champion.
        settings: The settings section `gates`.
        findings: What was compared and found.
    """
    from components.dataset.profile import Profile
    from components.digests import require_unchanged, seal
    from components.gates.gates import check_data
    from components.gates.settings import GatesSettings
    from components.logs import log_to_console

    log_to_console()
    require_unchanged(summary)
    profile = Profile.parse(reference, "The champion's profile") if reference else None
    found = check_data(summary.path, profile, GatesSettings.from_parameter(settings), findings.path)
    findings.metadata.update({"compared": len(found.findings), "failed": len(found.failed)})
    seal(findings)


# KFP reads the annotation, where a class of ours would have no meaning. Of several outputs its local runner finds only
# one of this name in a condition.
def look_for_news(
    source: str, table: dict, champion: str, settings_digest: str, code: str, force: bool, promotion: dict
) -> NamedTuple(  # type: ignore[valid-type]
    "News", [("Output", str), ("source_fingerprint", str), ("reference", dict)]
):
    """Say whether anything differs from what the champion was made from, and take the source's fingerprint.

    Args:
        source: Folder, archive, gs:// URI of either, or "synthetic".
        table: The `preprocess.table` section of the settings, without the columns that are not read.
        champion: Folder of the champion; empty for that of the registry, if there is one.
        settings_digest: Of the settings that determine the model.
        code: Identity of the code: the stages' image.
        force: Train in any case.
        promotion: The `promotion` section of the settings.

    Returns:
        ``Output``, the verdict, "train" or "nothing new"; the source's fingerprint; the profile of the champion's
        data, empty if there is no champion.
    """
    from components.gates.news import look_for_news as run
    from components.logs import log_to_console
    from components.promote.settings import PromotionSettings
    from components.sources.source import parse_source
    from components.sources.table_settings import TableSettings

    log_to_console()
    faces = parse_source(source, TableSettings.from_parameter(table))
    registry = PromotionSettings.from_parameter(promotion).open_registry()
    return tuple(run(faces, champion, settings_digest, code, force, registry))
