"""Text from outside, made fit for one line of a log, a table or a message."""


def printable(text: str) -> str:
    r"""Return a text whose line ends, control characters and invalid bytes are written as escapes.

    Whoever names a file or writes a header can't break a line, colour a terminal or reverse the direction of what
    follows: a line that starts like another program's error would otherwise be taken for one.

    Example:
        >>> printable("face\nDataError: all is lost.jpg")
        'face\\nDataError: all is lost.jpg'
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
