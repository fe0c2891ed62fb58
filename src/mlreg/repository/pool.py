"""Threads that take work; while the program ends, when no thread is begun any more, work is done on the spot.

So what a program does last, in a handler of `atexit`, can still write and read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

_Result = TypeVar("_Result")


class Pool:
    """A pool of threads. Use it as a context, or shut it down."""

    def __init__(self, threads: int, name: str) -> None:
        """Begin no thread before there is work for it."""
        self._threads: ThreadPoolExecutor | None = None
        if _has_threads():
            from concurrent.futures import ThreadPoolExecutor

            self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)

    def submit(self, work: Callable[..., _Result], /, *values: Any) -> Future[_Result]:  # noqa: ANN401 - what it takes
        """Return what will be the result of some work."""
        if self._threads and _has_threads():
            return self._threads.submit(work, *values)
        done: Future[_Result] = Future()
        try:
            done.set_result(work(*values))
        except BaseException as error:  # noqa: BLE001 - as a thread does
            done.set_exception(error)
        return done

    def shutdown(self) -> None:
        """Wait for the work that is left, and end the threads."""
        if self._threads:
            self._threads.shutdown()

    def __enter__(self) -> Self:
        """Return the pool."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Shut it down."""
        self.shutdown()


def _has_threads() -> bool:
    return threading.main_thread().is_alive()
