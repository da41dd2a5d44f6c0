"""The one exception that means that the user's input is at fault, and how errors of the system are recognised."""

import errno
import os
import re
import reprlib
import sys
from collections.abc import Iterator


class InputError(Exception):
    """Bad input, said in one line: `file: what is wrong — what to do` (exit code 2).

    Args:
      what: what is wrong; may continue on further lines with all that is.
      remedy: the next step, in the imperative.
      file: the file at fault, as the user typed it.
    """

    def __init__(self, what: str, remedy: str = "", *, file: object = None):
        self.what, self.remedy, self.file = what, remedy, file
        super().__init__(what)

    def __str__(self) -> str:
        place = f"{shown(str(self.file), 1000)}: " if self.file is not None else ""
        said = f"{place}{self.what} — {self.remedy}" if self.remedy else f"{place}{self.what}"
        return "\n".join(map(_fit, said.split("\n")))


_LONGEST = 10_000  # characters of a line


def _fit(line: str) -> str:
    """A line that prints as it is, whatever was put into it unshown."""
    line = line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
    return line if line.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


def say(line: str) -> None:
    """Prints on stderr what goes beside a command's work, a warning or what it waits for, escaped as errors are."""
    tell(_fit(line))


def tell(text: str) -> None:
    """Prints on stderr as it is; where that leads to a full disk or to nobody, exit codes still tell how work ends."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # or Python would try once more at the end


def shown(value: object, most: int = 60) -> str:
    """Something that a file says, fit for a line: cut, escaped where it would not print, and never walked through."""
    if type(value) is tuple and len(value) <= 8:
        return f"({', '.join(shown(part, most) for part in value if type(part) is not tuple)})"
    if type(value) is int and value.bit_length() > 200:
        return "a huge number"
    if type(value) not in (str, int, float):
        return f"a {type(value).__name__}"
    text = str(value)
    plain = text[: most + 1] if text[: most + 1].isprintable() else ascii(text[: most + 1])[1:-1]
    return plain if len(plain) <= most else f"{plain[:most]}…"


def brief(value: object, most: int = 200) -> str:
    """As `shown`, and of a list or table its beginning."""
    return shown(value, most) if type(value) in (str, int, float, tuple) else shown(reprlib.repr(value), most)


_FLAG = re.compile(r"--([a-z]+(?:-[a-z]+)*)(?:[ =](\w[\w.+]*))?(?=[\s,.:;)]|$)")
_ARGUMENTS = {"class": "class_idx", "truncation-psi": "psi"}


def in_python(error: InputError) -> InputError:
    """The same error in the words of a function: `--overwrite` is `overwrite=True`, `--psi 1` is `psi=1`."""

    def argument(found: re.Match[str]) -> str:
        flag, value = found.groups()
        name = _ARGUMENTS.get(flag, flag).replace("-", "_")
        if flag == "overwrite":
            return f"{name}=True{f' {value}' if value else ''}"
        if value is None:
            return name
        value = value if re.fullmatch(r"[\d.+]+", value) else f'["{value}"]' if flag == "networks" else f'"{value}"'
        return f"{name}={value}"

    file = _FLAG.sub(argument, error.file) if isinstance(error.file, str) else error.file
    return InputError(_FLAG.sub(argument, error.what), _FLAG.sub(argument, error.remedy), file=file)


_CODE = re.compile(r"os_error_code='(\d+)'")  # TensorStore's
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR}
NAMES_AMISS = _NOT_THERE | {errno.ENAMETOOLONG, errno.ELOOP, errno.EISDIR, errno.EEXIST}
"""What the system says of a path that names nothing, or not what was wanted: bad input."""
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_CROWDED = {errno.EMFILE, errno.ENFILE}
_OUT_OF_MEMORY = ("RESOURCE_EXHAUSTED", "Out of memory", "std::bad_alloc")


def system_fault(error: BaseException) -> OSError | None:
    """What the operating system said, if it and not the data is at fault; None otherwise.

    Libraries wrap it: the error's causes are looked at, and what TensorStore and XLA write into their messages. That a
    file is not there is a fault of the data.
    """
    for each in _causes(error):
        if isinstance(each, OSError) and each.errno is not None and each.errno not in _NOT_THERE:
            return each
        if code := _CODE.search(str(each)):
            if int(code[1]) not in _NOT_THERE:
                return OSError(int(code[1]), os.strerror(int(code[1])))
        elif isinstance(each, MemoryError) or any(words in str(each) for words in _OUT_OF_MEMORY):
            return OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__


def fault_line(fault: OSError) -> str:
    """What the operating system said, of which file, and what to do about it."""
    place = f"{fault.filename}: " if fault.filename else ""
    return f"{place}{fault.strerror or fault} — {remedy_of(fault)}"


def remedy_of(error: OSError) -> str:
    """What to do about what the operating system said."""
    code = error.errno
    if code in _FULL:
        return "free some space or choose another place"
    if code in _CLOSED:
        return "change its permissions or choose another place"
    if code in _NOT_THERE:
        return "check the path: it may have gone meanwhile"
    if code == errno.ENAMETOOLONG:
        return "use a shorter name"
    if code in NAMES_AMISS:
        return "check what the path leads to"
    if code in _CROWDED:
        return "close other programs, or raise the limit: ulimit -n 4096"
    if code == errno.ENOMEM:
        return "work on less at once, or use a machine with more memory"
    if isinstance(error, ConnectionError | TimeoutError) or code in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return "check the network and run the same command again"
    if code == errno.EIO:
        return "the disk or its connection fails: check it, or choose another place"
    return "run the same command again; if that does not help, choose another place"
