"""Checks of chapter 15: what a run holds, what one pass takes, which steps bfloat16 loses, when the last GPU is done."""

from lmem.exercises.exercise import exercise


@exercise(
    "15.1",
    "a trained weight is float32 and has three companions: its gradient and AdamW's two moments",
)
def held(answer):
    """Bytes of weights and of what is trained: (frozen weights, bytes of each, trained weights) to GiB."""
    yield (2**30, 2, 0), 2.0, "2^30 weights of 2 bytes are 2 GiB"
    yield (0, 2, 2**30), 16.0
    yield (3 * 2**30, 4, 2**26), 13.0  # 12 + 1


@exercise(
    "15.2",
    "for each operation the slower of both, computing or moving, and the overhead; then the sum",
)
def seconds(answer):
    """Time of a pass: ([(flop, bytes) of each operation], rate, bandwidth, overhead) to seconds."""
    yield ([(100.0, 10.0)], 10.0, 2.0, 1.0), 11.0  # 10 s of computing, 5 of moving
    yield ([(100.0, 10.0), (0.0, 40.0)], 10.0, 2.0, 1.0), 32.0
    yield ([], 10.0, 2.0, 1.0), 0.0, "nothing to do takes no time"
    yield (
        ([(0.0, 0.0)] * 5, 1.0, 1.0, 0.5),
        2.5,
        "an operation on nothing has its overhead all the same",
    )


@exercise(
    "15.3",
    "which power of two is at or below the value? between it and the next lie 2^7 equal gaps",
)
def spacing(answer):
    """How far the next larger bfloat16 is from a positive one: (value) to the distance."""
    yield (1.0,), 2.0**-7
    yield (3.0,), 2.0**-6
    yield (1000.0,), 4.0  # 512 / 128
    yield (0.02,), 2.0**-13, "below 1 the powers of two are 1/2, 1/4, 1/8, ..."


@exercise(
    "15.4",
    "the cells of GPU i are every n-th from the i-th; it needs their sum, and all wait for the slowest",
)
def finished(answer):
    """When the last of n GPUs is done: (hours of each cell, n), where GPU i takes the cells i, i + n, i + 2n, ..., to hours."""
    yield ([1.0, 2.0, 3.0], 1), 6.0, "one GPU does everything"
    yield ([1.0, 5.0, 2.0, 4.0, 3.0], 2), 9.0  # 1 + 2 + 3 and 5 + 4
    yield ([1.0, 5.0, 2.0, 4.0, 3.0], 3), 8.0  # 1 + 4, 5 + 3, 2
    yield ([1.0, 2.0], 5), 2.0, "with more GPUs than cells some have nothing to do"
