"""The curve of Ed25519 by its affine formulas (RFC 8032, section 5.1): slow, sharing no function with the product."""

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = (-121665 * pow(121666, -1, P)) % P

Point = tuple[int, int]
NEUTRAL: Point = (0, 1)


def add(first: Point, second: Point) -> Point:
    """The complete addition law of the twisted Edwards curve with a = -1."""
    x1, y1 = first
    x2, y2 = second
    product = D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, P)
    return x % P, y % P


def times(scalar: int, point: Point) -> Point:
    """Double and add."""
    total = NEUTRAL
    for bit in bin(scalar)[2:]:
        total = add(total, total)
        if bit == "1":
            total = add(total, point)
    return total


def square_root(number: int) -> int | None:
    """A root modulo P, or None."""
    root = pow(number, (P + 3) // 8, P)
    for candidate in (root, root * pow(2, (P - 1) // 4, P) % P):
        if candidate * candidate % P == number % P:
            return candidate
    return None


def x_of(y: int) -> int | None:
    """One of the two x of the points with this y."""
    return square_root((y * y - 1) * pow(D * y * y + 1, -1, P) % P)


def encode(point: Point) -> bytes:
    """The canonical encoding."""
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def decode(data: bytes) -> Point:
    """The point of a canonical encoding."""
    number = int.from_bytes(data, "little")
    y, sign = number % 2**255, number >> 255
    x = x_of(y)
    assert x is not None
    return (x if x & 1 == sign else P - x), y


def torsion() -> list[Point]:
    """The eight points of small order, as multiples of one of order 8."""
    y = 2
    while True:
        x = x_of(y)
        if x is not None:
            base = times(ORDER, (x, y))
            if times(4, base) != NEUTRAL:
                return [times(count, base) for count in range(8)]
        y += 1


def small_order_encodings() -> set[bytes]:
    """Every 32 bytes that some decoder reads as a point of small order: y below 2**255, with either sign bit."""
    encodings = set()
    for _, y in torsion():
        for spelled in (y, y + P):
            if spelled < 2**255:
                encodings |= {(spelled | sign << 255).to_bytes(32, "little") for sign in (0, 1)}
    return encodings


def plus_small_order(public: bytes) -> list[bytes]:
    """The seven points that differ from a key by a point of small order."""
    point = decode(public)
    return [encode(add(point, small)) for small in torsion() if small != NEUTRAL]
