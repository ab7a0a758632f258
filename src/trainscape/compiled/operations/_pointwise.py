"""Operations on elements: each one's value in C.

Each operation of C rounds once, and ``FMA`` rounds a product and a sum together.
"""

from __future__ import annotations

# ``$0`` is the first operand, and so on; ``$alpha`` and ``$value`` are numbers by name. The
# capitals are macros of c/generic.h: the function for a float or a double.
POINTWISE: dict[str, str] = {
    "abs": "ABS($0)",
    "add": "FMA($alpha, $1, $0)",
    "addcdiv": "$0 + $value * $1 / $2",
    "addcmul": "FMA($value * $1, $2, $0)",
    "__lshift__": "(uint64_t)$1 < 64 ? (int64_t)((uint64_t)$0 << $1) : 0",
    "__rshift__": "(int64_t)$0 >> ((uint64_t)$1 < 63 ? $1 : 63)",
    "bitwise_and": "$0 & $1",
    "bitwise_left_shift": "(uint64_t)$1 < 64 ? (int64_t)((uint64_t)$0 << $1) : 0",
    "bitwise_not": "~$0",
    "bitwise_or": "$0 | $1",
    "bitwise_right_shift": "(int64_t)$0 >> ((uint64_t)$1 < 63 ? $1 : 63)",
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
    "floor_divide": """({ __typeof__($0 + $1) a = $0, b = $1, m = FMOD(a, b);
        a = (a - m) / b - (m != 0 && (b < 0) != (m < 0)), m = FLOOR(a);
        b == 0 ? $0 / b : a - m > 0.5f ? m + 1 : m; })""",
    "fmod": "FMOD($0, $1)",
    "ge": "$0 >= $1",
    "gt": "$0 > $1",
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
    "remainder": """({ __typeof__($0 + $1) b = $1, m = FMOD($0, b);
        m != 0 && (b < 0) != (m < 0) ? m + b : m; })""",
    "round": "RINT($0)",
    "rsqrt": "1 / SQRT($0)",
    "rsub": "FMA(-$alpha, $0, $1)",
    "sgn": "SIGN($0)",
    "sigmoid": "SIGMOID($0)",
    "sign": "SIGN($0)",
    "sin": "SIN($0)",
    "sqrt": "SQRT($0)",
    "sub": "FMA(-$alpha, $1, $0)",
    "threshold": "$0 <= $1 ? $value : $0",
    "tanh": "TANH($0)",
    "threshold_backward": "$1 <= $2 ? 0 : $0",
    "trunc": "TRUNC($0)",
    "where": "$0 ? $1 : $2",
}
# where the numbers by name are 1
PLAIN = {
    "add": "$0 + $1",
    "sub": "$0 - $1",
    "rsub": "$1 - $0",
    "addcdiv": "$0 + $1 / $2",
    "addcmul": "FMA($1, $2, $0)",
}
# of whole numbers, which are meant to wrap around
WRAPPING = {
    "abs": "$0 < 0 ? -$0 : $0",
    "add": "(int64_t)((uint64_t)$0 + (uint64_t)$alpha * (uint64_t)$1)",
    "addcmul": "(int64_t)((uint64_t)$0 + (uint64_t)$value * (uint64_t)$1 * (uint64_t)$2)",
    "ceil": "$0",
    "floor": "$0",
    "isinf": "0",
    "mul": "(int64_t)((uint64_t)$0 * (uint64_t)$1)",
    "floor_divide": """({ const int64_t a = $0, b = $1;
        b == 0    ? 0
        : b == -1 ? (int64_t)(0 - (uint64_t)a)
                  : a / b - (a % b && (a < 0) != (b < 0)); })""",
    "fmod": "($1 == 0 || $1 == -1 ? 0 : $0 % $1)",
    "neg": "(int64_t)(0 - (uint64_t)$0)",
    "remainder": """({ const int64_t b = $1, m = b == 0 || b == -1 ? 0 : $0 % b;
        m && (m < 0) != (b < 0) ? m + b : m; })""",
    "round": "$0",
    "rsub": "(int64_t)((uint64_t)$1 - (uint64_t)$alpha * (uint64_t)$0)",
    "sub": "(int64_t)((uint64_t)$0 - (uint64_t)$alpha * (uint64_t)$1)",
    "trunc": "$0",
}
# of doubles, whose macros would go by way of floats; near 0 in Kahan's way
DOUBLE = {
    "expm1": """({ const double u = EXP($0), m = u - 1;
        u == 1 ? $0 : m == -1 || u == INFINITY ? m : m * $0 / LOG(u); })""",
    "log1p": """({ const double u = 1 + $0;
        u == 1 ? $0 : u == INFINITY ? u : LOG(u) * $0 / (u - 1); })""",
    "pow": """({ const double a = ABS($0), b = $1, e = b == 0 || a == 1 ? 1 : EXP(b * LOG(a));
        $0 >= 0 || b == 0 ? e : TRUNC(b) != b ? NAN : TRUNC(b / 2) * 2 == b ? e : -e; })""",
    "sigmoid": "1 / (1 + EXP(-$0))",
}
SINGLE = {"erf"}  # there is none of doubles
TRUTHS = {"add": "$0 | $1", "mul": "$0 & $1", "bitwise_not": "!$0"}
# these take operands as they are promoted among themselves, and give a truth
COMPARED = {
    *("eq", "ge", "gt", "isinf", "isnan", "le", "lt", "ne"),
    *("logical_and", "logical_not", "logical_or"),
}
# the names of operands in torch's schemas, in the order of the schemas
OPERANDS = (
    *("self", "input", "condition", "other", "exponent", "end", "weight", "tensor1", "tensor2"),
    *("grad_output", "threshold", "min", "max"),
)
