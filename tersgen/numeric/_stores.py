"""Non-temporal stores, past the cache: for rows that are not read until their batch is complete.

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


@intrinsic  # type: ignore[untyped-decorator]
def fence(_context: Any) -> Any:
    """Order all later stores after those that went past the cache."""

    def generate(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate
