"""A worker process of this machine: it takes steps from its standard input, one after another.

Nothing heavy is imported here: what a step needs comes with `preload`, and Beam never does.
"""

from __future__ import annotations

import functools
import importlib
import os
import pickle
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO

PRELOADED = "pipelines.engine.steps"
"""The module of the steps: it is imported while the command that started the run still starts."""


def serve() -> None:
    """Answers every task, a pickled step and an element, with its result or its error.

    The process ends with the one that started it, in whatever way that ends: the pipe closes.
    """
    answers = _keep_output_clean()
    tasks: queue.SimpleQueue[tuple[bytes, Any]] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(sys.stdin.buffer, tasks), daemon=True).start()
    importlib.import_module(PRELOADED)
    while True:
        answers.write(_answer(*tasks.get()))
        answers.flush()


def _keep_output_clean() -> BinaryIO:
    """The pipe for answers; what anyone prints goes to standard error instead."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def _receive(pipe: BinaryIO, tasks: queue.SimpleQueue[tuple[bytes, Any]]) -> None:
    """Ends the process where no further task will come, also where one breaks off."""
    try:
        while True:
            tasks.put(pickle.load(pipe))
    finally:
        os._exit(1)


def _answer(step: bytes, element: Any) -> bytes:
    try:
        return pickle.dumps((True, _loaded(step)(element)))
    except Exception as error:
        text = traceback.format_exc()
        error.add_note(text)
        try:
            answer = pickle.dumps((False, error))
            pickle.loads(answer)
        except Exception:  # Some errors of libraries cannot be sent, and some not be received.
            return pickle.dumps((False, RuntimeError(text)))
        return answer


@functools.lru_cache(maxsize=4)
def _loaded(step: bytes) -> Callable[[Any], Any]:
    """A step, which may remember what many elements need."""
    return pickle.loads(step)
