"""What the door takes from private parts of torch, which a new version may change.

Tried with torch 2.13.
"""

from torch._C import (
    _are_functorch_transforms_active,  # pyright: ignore[reportAttributeAccessIssue]
    _get_tracing_state,
    _len_torch_dispatch_stack,
)
from torch._C._functorch import (  # pyright: ignore[reportMissingImports]
    TransformType,
    get_interpreter_stack,
    get_unwrapped,
    is_functorch_wrapped_tensor,
    is_gradtrackingtensor,
    is_legacy_batchedtensor,
)
from torch.autograd import Function, forward_ad
from torch.jit._trace import TracerWarning
from torch.nn._reduction import legacy_get_string as legacy_reduction

__all__ = [
    "TracerWarning",
    "constant_when_compiled",
    "guarded_number",
    "has_no_transform",
    "has_tangent",
    "is_batched",
    "is_differentiated_by_transform",
    "is_traced",
    "legacy_reduction",
    "nested_tangents",
    "transforms_active",
    "untransformed_apply",
]

transforms_active = _are_functorch_transforms_active  # torch.compile traces the original function, not a wrapper of it


def has_no_transform():
    """Return whether operations run directly: no `torch.func`, forward mode, trace or dispatch mode is active."""
    return not (
        _len_torch_dispatch_stack()
        or _are_functorch_transforms_active()
        or forward_ad._current_level >= 0
        or _get_tracing_state() is not None
    )


def is_traced():
    """Return whether torch.jit is tracing."""
    return _get_tracing_state() is not None


def is_batched(tensor):
    """Return whether a tensor may stand for a batch of tensors, inside of `vmap` or for `is_grads_batched`."""
    return _are_functorch_transforms_active() or is_legacy_batchedtensor(tensor)


def is_differentiated_by_transform(tensor):
    """Return whether a transformation of any level takes a derivative in the tensor, in reverse mode."""
    while is_functorch_wrapped_tensor(tensor):
        if is_gradtrackingtensor(tensor):
            return True
        tensor = get_unwrapped(tensor)
    return False


def has_tangent(tensor):
    """Return whether a derivative in the tensor is taken in forward mode."""
    return forward_ad._current_level >= 0 and forward_ad.unpack_dual(tensor).tangent is not None


def nested_tangents():
    """Return whether forward-mode transformations are nested: a `Function` cannot pass on tangents of tangents."""
    return sum(level.key() == TransformType.Jvp for level in get_interpreter_stack() or ()) > 1


def untransformed_apply(function):
    """Return `Function.apply` without its check for transformations, which takes as long as a small batch."""
    return super(Function, function).apply  # pyright: ignore[reportAttributeAccessIssue]


def constant_when_compiled(function):
    """Mark a function as `torch.compiler.assume_constant_result` does, without loading the compiler."""
    function._dynamo_marked_constant = True
    return function


def guarded_number(value):
    """Return the number as a constant of the compiled graph; torch.compile compiles anew for another number."""
    from torch.fx.experimental.symbolic_shapes import guard_scalar  # takes a second to load

    return guard_scalar(value)
