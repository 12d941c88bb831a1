"""What Ctrl-C, a request to end and a closed terminal do to a run."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Somebody ended the run; no error, and so nothing that handles errors takes it for one.

    Args:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.number = number


@contextmanager
def interruptible(stop: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Turn the signals that end a run into :class:`Interrupted` while the block lasts.

    A signal that is ignored already, as with ``nohup``, stays ignored.

    Args:
        stop: Called at once: KFP waits for stages in threads, which an exception does not reach.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        del frame
        stop()
        raise Interrupted(number)

    previous = {number: signal.getsignal(number) for number in _SIGNALS}
    heard = [number for number, handler in previous.items() if handler != signal.SIG_IGN]
    for number in heard:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, previous[number])
