"""The one exception that means: the user's input is at fault, and this is what to do about it."""


class InputError(Exception):
    """Bad input, said in one line: `file: what is wrong — what to do` (exit code 2).

    Args:
      what: what is wrong; may continue on further lines with the culprits.
      remedy: the next step, in the imperative.
      file: the file at fault, as the user typed it.
    """

    def __init__(self, what: str, remedy: str = "", *, file: object = None):
        self.what, self.remedy, self.file = what, remedy, file
        super().__init__(what)

    def __str__(self) -> str:
        place = f"{self.file}: " if self.file is not None else ""
        return f"{place}{self.what} — {self.remedy}" if self.remedy else f"{place}{self.what}"
