"""An agent whose handlers do everything that they should not."""

from __future__ import annotations

import asyncio
import ctypes
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any, NoReturn, cast

from squad import Agent, Context, handles, message

MANY = 2_000  # lines
LINE = "x" * 1000


class Word(StrEnum):
    RECIPIENT = "wild"
    TYPE = "wild"
    KEY = "once"
    METRIC = "words"
    KIND = "counter"


class Urgency(IntEnum):
    HIGH = 1


@message("wild")
class Wild:
    how: str
    path: str = ""


class Wildling(Agent):
    """Each way is a method. Where there are several attempts, it behaves in the second."""

    @handles(Wild)
    async def wild(self, msg: Wild, ctx: Context) -> Any:
        if ctx.attempt > 1:
            return "tame"
        ctx.state["touched"] = msg.how
        result = getattr(self, msg.how.replace("-", "_"))(msg, ctx)
        return await result if asyncio.iscoroutine(result) else result

    # -- ends of the process ----------------------------------------------------------------------------------------

    def exit_the_process(self, msg: Wild, ctx: Context) -> NoReturn:
        os._exit(0)

    def segfault(self, msg: Wild, ctx: Context) -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        ctypes.string_at(0)

    def abort(self, msg: Wild, ctx: Context) -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.abort()

    def kill_itself(self, msg: Wild, ctx: Context) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def terminate_itself(self, msg: Wild, ctx: Context) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

    # -- what should not be raised ----------------------------------------------------------------------------------

    def exit_the_interpreter(self, msg: Wild, ctx: Context) -> NoReturn:
        sys.exit(3)

    def interrupt(self, msg: Wild, ctx: Context) -> NoReturn:
        raise KeyboardInterrupt

    def generator_exit(self, msg: Wild, ctx: Context) -> NoReturn:
        raise GeneratorExit

    def cancelled_error(self, msg: Wild, ctx: Context) -> NoReturn:
        raise asyncio.CancelledError

    def stop_iteration(self, msg: Wild, ctx: Context) -> NoReturn:
        raise StopIteration

    def recurse(self, msg: Wild, ctx: Context) -> Any:
        return self.recurse(msg, ctx)

    def memory(self, msg: Wild, ctx: Context) -> Any:
        return bytearray(2**62)

    def base(self, msg: Wild, ctx: Context) -> NoReturn:
        class Own(BaseException):
            pass

        raise Own("of its own")

    def unprintable(self, msg: Wild, ctx: Context) -> NoReturn:
        class Unprintable(Exception):  # noqa: N818
            def __str__(self) -> str:
                raise ValueError("not even this")

        raise Unprintable

    def surrogate_error(self, msg: Wild, ctx: Context) -> NoReturn:
        raise ValueError("half a character: \ud800, and a nul: \0")

    def long_error(self, msg: Wild, ctx: Context) -> NoReturn:
        raise ValueError("x" * 10_000_000)

    # -- what JSON cannot say ---------------------------------------------------------------------------------------

    def nan(self, msg: Wild, ctx: Context) -> Any:
        return {"value": float("nan")}

    def data(self, msg: Wild, ctx: Context) -> Any:
        return b"bytes"

    def cycle(self, msg: Wild, ctx: Context) -> Any:
        found: list[Any] = []
        found.append(found)
        return found

    def surrogate(self, msg: Wild, ctx: Context) -> Any:
        return "\udc00"

    def deep(self, msg: Wild, ctx: Context) -> Any:
        found: list[Any] = []
        for _ in range(100_000):
            found = [found]
        return found

    def an_object(self, msg: Wild, ctx: Context) -> Any:
        return self

    def keys(self, msg: Wild, ctx: Context) -> Any:
        return {(1, 2): 3}

    def huge_integer(self, msg: Wild, ctx: Context) -> Any:
        return 10**5000

    def nan_state(self, msg: Wild, ctx: Context) -> Any:
        ctx.state["value"] = float("inf")

    def huge_send(self, msg: Wild, ctx: Context) -> Any:
        ctx.send("wild", Wild("tame", "x" * 2_000_000))

    def own_words(self, msg: Wild, ctx: Context) -> Any:
        """Storage has none of these classes."""
        ctx.send(Word.RECIPIENT, Word.TYPE, {"how": "change-folder"}, priority=Urgency.HIGH, key=Word.KEY)
        ctx.metric(Word.METRIC, 1.0, cast(Any, Word.KIND))
        ctx.state["word"] = Word.KEY
        return Word.KEY

    # -- what it leaves behind --------------------------------------------------------------------------------------

    def grandchild(self, msg: Wild, ctx: Context) -> Any:
        subprocess.Popen(["/bin/sh", "-c", "sleep 1000 & sleep 1000"], start_new_session=True)
        return "left"

    def fork(self, msg: Wild, ctx: Context) -> Any:
        """Both processes come back from the handler."""
        return {"pid": os.fork()}

    def fork_and_raise(self, msg: Wild, ctx: Context) -> Any:
        if os.fork() == 0:
            raise RuntimeError("in the child")
        return "parent"

    def fork_and_exit(self, msg: Wild, ctx: Context) -> Any:
        if os.fork() == 0:
            sys.exit(4)
        return "parent"

    def worker_pool(self, msg: Wild, ctx: Context) -> Any:
        with multiprocessing.get_context("fork").Pool(2) as pool:
            return pool.map(abs, [-1, -2])

    def thread(self, msg: Wild, ctx: Context) -> Any:
        threading.Thread(target=time.sleep, args=(1000,)).start()
        return "left"

    def failing_thread(self, msg: Wild, ctx: Context) -> Any:
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
        return "went on"

    # -- its standard streams and descriptors -----------------------------------------------------------------------

    def fill_output(self, msg: Wild, ctx: Context) -> Any:
        for _ in range(MANY):
            print(LINE)
        return "printed"

    def change_folder(self, msg: Wild, ctx: Context) -> Any:
        os.chdir("/")
        os.environ.clear()
        return "changed"

    # -- time -------------------------------------------------------------------------------------------------------

    def hang(self, msg: Wild, ctx: Context) -> Any:
        time.sleep(1000)

    def hang_deaf(self, msg: Wild, ctx: Context) -> Any:
        """Holds the interpreter: not even the agent's own loop runs."""
        Path(msg.path).touch()
        pow(7, 3**16)

    def hang_and_ignore(self, msg: Wild, ctx: Context) -> Any:
        """Ignores SIGTERM, by the system call, as native code would."""
        ctypes.CDLL(None).signal(signal.SIGTERM, ctypes.c_void_p(1))
        time.sleep(1000)
