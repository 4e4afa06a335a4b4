"""ATen operators by what they do. Names are without overload and without the underscore that marks in-place forms."""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Make tensors out of nothing. In a dry run they must neither take memory nor draw random numbers.
FACTORIES = _names(
    "empty zeros ones full rand randn randint randperm normal empty_strided empty_permuted new_empty new_empty_strided "
    "new_zeros new_ones new_full"
)
# Take a tensor's shape and nothing else: what they return depends on no pixel.
CONSTANTS = FACTORIES | _names("empty_like zeros_like ones_like full_like rand_like randn_like randint_like")

# Functions of one number each.
ACTIVATIONS = _names(
    "relu leaky_relu prelu _prelu_kernel elu celu selu rrelu rrelu_with_noise gelu silu mish sigmoid tanh hardtanh "
    "relu6 hardswish hardsigmoid softplus log_sigmoid_forward threshold softshrink hardshrink"
)
# Mix everything along a dimension, or two halves of it.
SOFTMAXES = _names("_softmax _log_softmax _safe_softmax")
NORMS = _names(
    "native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training native_layer_norm "
    "native_group_norm _fused_rms_norm rms_norm"
)
PRODUCTS = _names("mm addmm bmm baddbmm mv addmv dot linear")
JOINS = _names("add sub mul div cat stack maximum minimum lerp addcmul")
REDUCTIONS = _names(
    "mean sum amax amin max min var std var_mean std_mean prod logsumexp linalg_vector_norm norm argmax argmin any all"
)

RESHAPES = _names("view _unsafe_view reshape _reshape_alias unsqueeze squeeze flatten")
SPLITS = _names("split unsafe_split split_with_sizes unsafe_split_with_sizes chunk unbind")
PADS = _names("constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d "
              "replication_pad3d")  # fmt: skip
COPIES = _names("detach alias lift_fresh contiguous _to_copy to view_as_real fill zero clone copy")
VIEWS = (
    RESHAPES | SPLITS | PADS | COPIES | CONSTANTS
    | _names("permute transpose t expand repeat slice select flip roll as_strided index_select index gather unfold")
)  # fmt: skip
