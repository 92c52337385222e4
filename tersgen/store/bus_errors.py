"""Reads of mapped files that survive the loss of the file's end.

If a file is truncated while it is mapped, reading the lost pages raises SIGBUS, which ends the
process. The handler installed here puts a page of zeros in place of the lost one and counts; who
reads compares the count before and after, and discards what was read if it changed. The handler
is a few instructions of machine code: no Python runs in it, nothing is allocated and no lock is
taken. It handles only mappings that are guarded here; any other SIGBUS is passed to the handler
that was installed before.
"""

import ctypes
import mmap
import platform
import signal
import sys
import threading
from typing import Any, NamedTuple

_MOST = 4096
"""Mappings that can be guarded at a time."""
_SA_SIGINFO, _SA_ONSTACK, _SA_RESTART = 0x4, 0x08000000, 0x10000000


class _Action(ctypes.Structure):
    """``struct sigaction`` of Linux on 64-bit machines."""

    _fields_ = (
        ("handler", ctypes.c_size_t),
        ("mask", ctypes.c_char * 128),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_size_t),
    )


class _Native(NamedTuple):
    """What was compiled, and its variables."""

    engine: Any
    handler: int
    sigaction: Any
    count: Any
    table: Any
    """Start and end of each guarded mapping; the end is 0 where there is none."""


_lock = threading.Lock()
_native: _Native | None = None
_failed = False
_free: list[int] = []


def faults() -> int:
    """Return how many pages of guarded mappings were lost so far, in this process."""
    return _native.count.value if _native is not None else 0


def guard(start: int, size: int) -> int | None:
    """Guard a mapping; return the number to release it by, or None if that is not possible here.

    Parameters
    ----------
    start, size
        Address and bytes of the mapping.
    """
    with _lock:
        native = _installed()
        if native is None or not _free or not _is_installed(native):
            return None
        number = _free.pop()
        native.table[2 * number] = start
        native.table[2 * number + 1] = start + size
        return number


def release(number: int) -> None:
    """Release a mapping that is about to end."""
    if _native is not None:
        _native.table[2 * number + 1] = 0  # one store: a finaliser may run anywhere, so no lock
        _free.append(number)


def is_ours() -> bool:
    """Return whether SIGBUS is still handled here: others may install handlers, too."""
    return _native is not None and _is_installed(_native)


def _is_installed(native: _Native) -> bool:
    now = _Action()
    native.sigaction(signal.SIGBUS, None, ctypes.byref(now))
    return bool(now.handler == native.handler)


def _installed() -> _Native | None:
    """Return the handler, compiled and installed at the first call; None if that failed."""
    global _native, _failed
    supported = sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64")
    if _native is None and not _failed and supported and sys.maxsize > 2**32:
        try:
            _native = _install()
        except (ImportError, AttributeError, OSError, RuntimeError):
            _failed = True
    return _native


def _install() -> _Native:
    import llvmlite.binding as llvm

    # PyDLL: letting other threads run around a call this short would take longer than the call
    system = ctypes.PyDLL(None, use_errno=True)
    old = _Action()
    if system.sigaction(signal.SIGBUS, None, ctypes.byref(old)):
        raise OSError(ctypes.get_errno(), "sigaction")
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    module = llvm.parse_assembly(_assembly(old))
    module.verify()
    engine = llvm.create_mcjit_compiler(module, target.create_target_machine())
    engine.finalize_object()
    handler = engine.get_function_address("handle")
    count = ctypes.c_int64.from_address(engine.get_global_value_address("count"))
    table = (ctypes.c_int64 * (2 * _MOST)).from_address(engine.get_global_value_address("table"))
    # machine code that a signal can call must not be freed, not even when Python ends
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(engine))
    new = _Action(handler=handler, flags=_SA_SIGINFO | _SA_ONSTACK | _SA_RESTART)
    if system.sigaction(signal.SIGBUS, ctypes.byref(new), None):
        raise OSError(ctypes.get_errno(), "sigaction")
    _free.extend(range(_MOST))
    return _Native(engine, handler, system.sigaction, count, table)


def _assembly(old: _Action) -> str:
    """Return the handler as LLVM assembly; ``old`` is the action that it passes signals to."""
    pass_on = "three" if old.flags & _SA_SIGINFO else "one"
    system = ctypes.CDLL(None)
    functions = {
        name: ctypes.cast(getattr(system, name), ctypes.c_void_p).value
        for name in ("mmap", "raise", "sigaction")
    }
    return _HANDLER.format(
        former=old.handler,
        pass_on="default" if old.handler <= signal.SIG_IGN else pass_on,
        most=_MOST,
        words=2 * _MOST,
        page=mmap.PAGESIZE,
        action=ctypes.sizeof(_Action),
        **functions,
    )


_HANDLER = """
@count = global i64 0
@table = global [{words} x i64] zeroinitializer
@action = global [{action} x i8] zeroinitializer

define void @handle(i32 %signal, i8* %info, i8* %context) {{
start:
  %at.code = getelementptr i8, i8* %info, i64 8
  %as.code = bitcast i8* %at.code to i32*
  %code = load i32, i32* %as.code
  %at.address = getelementptr i8, i8* %info, i64 16
  %as.address = bitcast i8* %at.address to i64*
  %address = load i64, i64* %as.address
  %faulted = icmp sgt i32 %code, 0          ; else a process sent it, and there is no address
  br i1 %faulted, label %look, label %{pass_on}

look:
  %k = phi i64 [ 0, %start ], [ %after, %next ]
  %first = shl i64 %k, 1
  %second = add i64 %first, 1
  %base = bitcast [{words} x i64]* @table to i64*
  %at.low = getelementptr i64, i64* %base, i64 %first
  %at.high = getelementptr i64, i64* %base, i64 %second
  %low = load volatile i64, i64* %at.low
  %high = load volatile i64, i64* %at.high
  %above = icmp uge i64 %address, %low
  %below = icmp ult i64 %address, %high
  %inside = and i1 %above, %below
  br i1 %inside, label %found, label %next

next:
  %after = add i64 %k, 1
  %more = icmp ult i64 %after, {most}
  br i1 %more, label %look, label %{pass_on}

found:                                      ; a private page of zeros takes the lost one's place
  %page = and i64 %address, -{page}
  %mmap = inttoptr i64 {mmap} to i64 (i64, i64, i32, i32, i32, i64)*
  %put = call i64 %mmap(i64 %page, i64 {page}, i32 3, i32 50, i32 -1, i64 0)
  %done = icmp eq i64 %put, %page
  br i1 %done, label %counted, label %{pass_on}

counted:
  %before = atomicrmw add i64* @count, i64 1 seq_cst
  ret void

three:                                      ; the former handler, of three arguments
  %former.three = inttoptr i64 {former} to void (i32, i8*, i8*)*
  call void %former.three(i32 %signal, i8* %info, i8* %context)
  ret void

one:                                        ; or of one
  %former.one = inttoptr i64 {former} to void (i32)*
  call void %former.one(i32 %signal)
  ret void

default:                                    ; or none: end, as soon as this one returns
  %sigaction = inttoptr i64 {sigaction} to i32 (i32, i8*, i8*)*
  %as.action = bitcast [{action} x i8]* @action to i8*
  %reset = call i32 %sigaction(i32 %signal, i8* %as.action, i8* null)
  %raise = inttoptr i64 {raise} to i32 (i32)*
  %raised = call i32 %raise(i32 %signal)
  ret void
}}
"""
