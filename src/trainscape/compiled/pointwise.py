"""Operations on elements: each one's value in C.

Each operation of C rounds once, and ``FMA`` rounds a product and a sum together.
"""

from __future__ import annotations

# ``$0`` is the first operand, and so on; ``$alpha`` and ``$value`` are numbers by name. The capitals
# are macros of c/generic.h: the function for a float or a double.
POINTWISE: dict[str, str] = {
    "abs": "ABS($0)",
    "add": "FMA($alpha, $1, $0)",
    "addcdiv": "$0 + $value * $1 / $2",
    "addcmul": "FMA($value * $1, $2, $0)",
    "bitwise_and": "$0 & $1",
    "bitwise_not": "~$0",
    "bitwise_or": "$0 | $1",
    "bitwise_xor": "$0 ^ $1",
    "ceil": "CEIL($0)",
    "clamp_max": "MIN($0, $1)",
    "clamp_min": "MAX($0, $1)",
    "cos": "COS($0)",
    "div": "$0 / $1",
    "eq": "$0 == $1",
    "erf": "ERF($0)",
    "exp": "EXP($0)",
    "expm1": "EXPM1($0)",
    "floor": "FLOOR($0)",
    "ge": "$0 >= $1",
    "gt": "$0 > $1",
    "isfinite": "$0 - $0 == 0",
    "isinf": "ABS($0) == INFINITY",
    "isnan": "$0 != $0",
    "le": "$0 <= $1",
    "lerp": "LERP($0, $1, $2)",
    "log": "LOG($0)",
    "log1p": "LOG1P($0)",
    "logical_and": "$0 && $1",
    "logical_not": "!$0",
    "logical_or": "$0 || $1",
    "lt": "$0 < $1",
    "maximum": "MAX($0, $1)",
    "minimum": "MIN($0, $1)",
    "mul": "$0 * $1",
    "ne": "$0 != $1",
    "neg": "-$0",
    "pow": "POW($0, $1)",
    "reciprocal": "1 / $0",
    "relu": "RELU($0)",
    "round": "RINT($0)",
    "rshift": "$0 >> $1",
    "rsqrt": "1 / SQRT($0)",
    "rsub": "FMA(-$alpha, $0, $1)",
    "sgn": "SIGN($0)",
    "sigmoid": "SIGMOID($0)",
    "sign": "SIGN($0)",
    "sin": "SIN($0)",
    "sqrt": "SQRT($0)",
    "sub": "FMA(-$alpha, $1, $0)",
    "tanh": "TANH($0)",
    "threshold_backward": "$1 <= $2 ? 0 : $0",
    "trunc": "TRUNC($0)",
    "where": "$0 ? $1 : $2",
}
# where the number by name is 1
PLAIN = {
    "add": "$0 + $1",
    "sub": "$0 - $1",
    "rsub": "$1 - $0",
    "addcdiv": "$0 + $1 / $2",
    "addcmul": "FMA($1, $2, $0)",
}
# of whole numbers, which are meant to wrap around
WRAPPING = {
    "add": "(int64_t)((uint64_t)$0 + (uint64_t)$1)",
    "mul": "(int64_t)((uint64_t)$0 * (uint64_t)$1)",
    "sub": "(int64_t)((uint64_t)$0 - (uint64_t)$1)",
}
TRUTHS = {"add": "$0 | $1", "mul": "$0 & $1", "bitwise_not": "!$0"}
# these take operands as they are promoted among themselves, and give a truth
COMPARED = {
    *("eq", "ge", "gt", "isfinite", "isinf", "isnan", "le", "lt", "ne"),
    *("logical_and", "logical_not", "logical_or"),
}
# the names of operands in torch's schemas, in the order of the schemas
OPERANDS = (
    *("self", "input", "condition", "other", "exponent", "end", "weight", "tensor1", "tensor2"),
    *("grad_output", "threshold", "min", "max"),
)
