"""The family of errors: whose fault it is decides how it is shown and how a command exits."""

from typing import ClassVar


class CorridorError(Exception):
    """Every error that this project raises on purpose."""

    code: ClassVar[str] = "internal"
    exit_code: ClassVar[int] = 1


class UserFault(CorridorError):
    """A fault that the person at the keyboard can mend; it is shown without a traceback.

    The text says what was expected, what came and what to do. It names a field, a row or a file, never a patient.
    """


class WrongUsage(UserFault):
    """The call itself is wrong: an option, a missing token, a home that is not there."""

    code = "wrong-usage"
    exit_code = 2


class InputFault(UserFault):
    """The input is at fault: a file, a table, a document."""

    code = "input-fault"
    exit_code = 3


class Refused(UserFault):
    """An agreement, disclosure control or a permission says no."""

    code = "refused"
    exit_code = 4


class Unreachable(UserFault):
    """A partner cannot be reached now."""

    code = "unreachable"
    exit_code = 5
