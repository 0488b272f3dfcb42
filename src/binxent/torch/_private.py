"""All that the door takes from torch's private parts: where to look when a version of torch breaks it.

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

transforms_active = _are_functorch_transforms_active  # by its own name torch.compile can look into it


def has_no_transform():
    """Whether an operation is just itself: no `torch.func`, forward mode, trace or dispatch mode is about."""
    return not (
        _len_torch_dispatch_stack()
        or _are_functorch_transforms_active()
        or forward_ad._current_level >= 0
        or _get_tracing_state() is not None
    )


def is_traced():
    """Whether torch.jit is tracing."""
    return _get_tracing_state() is not None


def is_batched(tensor):
    """Whether a tensor stands for many, inside of `vmap` or for `is_grads_batched`."""
    return _are_functorch_transforms_active() or is_legacy_batchedtensor(tensor)


def is_differentiated_by_transform(tensor):
    """Whether a transformation of any level takes a derivative in the tensor, in reverse mode."""
    while is_functorch_wrapped_tensor(tensor):
        if is_gradtrackingtensor(tensor):
            return True
        tensor = get_unwrapped(tensor)
    return False


def has_tangent(tensor):
    """Whether a derivative in the tensor is taken in forward mode."""
    return forward_ad._current_level >= 0 and forward_ad.unpack_dual(tensor).tangent is not None


def nested_tangents():
    """Whether forward-mode transformations are nested: a `Function` cannot pass on tangents of tangents."""
    return sum(level.key() == TransformType.Jvp for level in get_interpreter_stack() or ()) > 1


def untransformed_apply(function):
    """`Function.apply` without its look for transformations, which takes as long as a kernel on a small batch."""
    return super(Function, function).apply  # pyright: ignore[reportAttributeAccessIssue]


def constant_when_compiled(function):
    """`torch.compiler.assume_constant_result`, which would load all of the compiler for the sake of this mark."""
    function._dynamo_marked_constant = True
    return function


def guarded_number(value):
    """Return a number that torch.compile takes as it is, and compiles anew for another."""
    from torch.fx.experimental.symbolic_shapes import guard_scalar  # takes a second to load

    return guard_scalar(value)
