"""The Hugging Face hub: each thing is asked for once and quickly, and nothing more if the hub cannot be reached.

Without a network, the hub's library tries every file again for half a minute. After the first question that gets no
answer, this process therefore works as with ``HF_HUB_OFFLINE=1``: what the hub's cache has is used at once.
"""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from semalign.errors import one_line

T = TypeVar("T")
TIMEOUT = 5.0  # seconds of one request to one address
PATIENCE = 6.0  # seconds of a question
_unreachable: list[str] = []  # why, once it is known


class HubError(ConnectionError):
    """The hub does not give what it was asked for; the message says why in a few words."""


def ask(question: Callable[[Any, float], T]) -> T:
    """Return what the hub answers.

    Args:
        question: receives an ``HfApi`` and the seconds that a request may wait, and asks one thing.

    Raises:
        HubError: if the hub refuses, or cannot be reached; in this case it is not asked again.
    """
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    if _unreachable:
        raise HubError(_unreachable[0])
    answers, errors = _in_time(lambda: question(HfApi(), TIMEOUT))
    if answers:
        return answers[0]
    if errors and isinstance(errors[0], HfHubHTTPError | HFValidationError):
        raise HubError(f"it answers {type(errors[0]).__name__}") from errors[0]
    if errors and isinstance(errors[0], OfflineModeIsEnabled):
        raise HubError("HF_HUB_OFFLINE forbids to ask it") from errors[0]
    why = type(errors[0]).__name__ if errors else f"no answer in {PATIENCE:g} s"
    _unreachable.append(f"{constants.ENDPOINT} cannot be reached ({why})")
    constants.HF_HUB_OFFLINE = True
    raise HubError(_unreachable[0]) from (errors[0] if errors else None)


def refusal(question: Callable[[Any, float], object]) -> HubError | None:
    """Return why the hub does not answer a question, see :func:`ask`; None if it does."""
    try:
        ask(question)
    except HubError as error:
        return error
    return None


def _in_time(work: Callable[[], T]) -> tuple[list[T], list[Exception]]:
    """Return what some work gives or raises; neither, if it takes too long.

    The limit of a request holds for each address of a host, and not for the look-up of the addresses.
    """
    answers: list[T] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            answers.append(work())
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return answers, errors


def no_model(name: object, error: Exception) -> FileNotFoundError:
    """Return the error for a model that is neither on this machine nor given by the hub."""
    return FileNotFoundError(
        f"no model {str(name)!r} on this machine, and the Hugging Face hub does not give it: {one_line(error)}. "
        f"`semalign fetch {name}` gets it where there is a network: copy the folder HF_HOME from there, or give the "
        "path of the model's folder; HF_HUB_OFFLINE=1 spares the question"
    )
