"""What keeps the page closed: a Content-Security-Policy that allows its own style and script and nothing else."""

import base64
import hashlib
import re

_TAG = re.compile(r"<[a-zA-Z][^>]*>")
_STYLE = re.compile(r' style="([^"]*)"')
_CLASS = re.compile(r' class="([^"]*)"')


def move_styles(body: str) -> tuple[str, str]:
    """Turn every ``style`` attribute into a class, because the policy allows no style but the page's one sheet.

    Args:
        body: HTML in which ``<`` and ``>`` are escaped wherever they don't make a tag.

    Returns:
        The HTML without such attributes, and the rules of the classes.
    """
    names: dict[str, str] = {}

    def move(tag: re.Match[str]) -> str:
        found = _STYLE.search(tag[0])
        if found is None:
            return tag[0]
        name = names.setdefault(found[1], f"s{len(names)}")
        bare = tag[0].replace(found[0], "", 1)
        if _CLASS.search(bare):
            return _CLASS.sub(lambda given: f' class="{given[1]} {name}"', bare, count=1)
        return f'{bare[: -2 if bare.endswith("/>") else -1].rstrip()} class="{name}"{">" if bare[-2] != "/" else "/>"}'

    moved = _TAG.sub(move, body)
    return moved, "\n".join(f".{name} {{ {declarations} }}" for declarations, name in names.items())


def content_security_policy(sheet: str, script: str) -> str:
    """Return the policy of a page with one ``<style>`` and one ``<script>`` of exactly these texts."""
    style, program = (
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in (sheet, script)
    )
    return (
        f"default-src 'none'; img-src data:; style-src {style}; script-src {program}; base-uri 'none'; "
        "form-action 'none'"
    )
