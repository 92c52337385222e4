"""Loads from any address, and non-temporal stores: past the cache, for rows not read until later.

A normal store first reads its cache line from memory; for data written once, this is half of the
traffic. Numba has no such store, but LLVM has: the metadata ``nontemporal``.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


@intrinsic  # type: ignore[untyped-decorator]
def store_past_cache(_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Do ``array[index] = value`` past the cache; ``array`` is contiguous, of one dimension."""
    signature = types.void(array, index, value)
    if not isinstance(array, types.Array) or array.ndim != 1 or array.layout != "C":
        return None
    if value != array.dtype:
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        room = context.make_array(signature.args[0])(context, builder, arguments[0])
        store = builder.store(arguments[2], builder.gep(room.data, [arguments[1]]))
        one = builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)])
        store.set_metadata("nontemporal", one)
        return context.get_dummy_value()

    return signature, generate


def _word_at(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Return a pointer to a word in an array of bytes."""
    room = context.make_array(array_type)(context, builder, array)
    return builder.bitcast(builder.gep(room.data, [index]), ir.IntType(64).as_pointer())


def _are_bytes(array: Any) -> bool:
    is_line = isinstance(array, types.Array) and array.ndim == 1 and array.layout == "C"
    return is_line and array.dtype == types.uint8


@intrinsic  # type: ignore[untyped-decorator]
def load_word(_context: Any, array: Any, index: Any) -> Any:
    """Return eight bytes of ``array``, contiguous and of one dimension, from any ``index`` on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _word_at(context, builder, signature.args[0], *arguments)
        return builder.load(place, align=1)

    return (types.uint64(array, index), generate) if _are_bytes(array) else None


@intrinsic  # type: ignore[untyped-decorator]
def store_word_past_cache(_context: Any, array: Any, index: Any, word: Any) -> Any:
    """Put eight bytes into ``array`` past the cache, at an address that is a multiple of 8."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _word_at(context, builder, signature.args[0], *arguments[:2])
        store = builder.store(arguments[2], place, align=8)
        one = builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)])
        store.set_metadata("nontemporal", one)
        return context.get_dummy_value()

    return (types.void(array, index, word), generate) if _are_bytes(array) else None


@intrinsic  # type: ignore[untyped-decorator]
def fence(_context: Any) -> Any:
    """Order all later stores after those that went past the cache."""

    def generate(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate
