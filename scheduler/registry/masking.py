"""What is a secret, told by its name, and how it is shown instead.

A scheduler shows what it runs to whoever may ask; the attempt itself gets the true values.  Names
are all that there is to go by: a secret under a harmless name is shown.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

MASK = "***"

#: what a name that stands for a secret contains; case does not count
SECRET_NAMES = (
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "credential",
    "api_key",
    "access_key",
    "private_key",
    "authorization",
    "cookie",
)
#: what it ends with, behind one of _ - . or alone
SECRET_ENDINGS = ("pass", "key", "auth", "pin")

# A shorter one would be found by chance, in words that it has nothing to do with.
SHORTEST = 4

_ANYWHERE = "|".join(name.replace("_", "[-_.]?") for name in SECRET_NAMES)
_AT_END = "|".join(SECRET_ENDINGS)
_SECRET = re.compile(rf"{_ANYWHERE}|(?:^|[-_.])(?:{_AT_END})$", re.IGNORECASE)
_FOLDERS = frozenset(["PWD", "OLDPWD"])  # where a shell is

_SEPARATOR = re.compile("[=:]")
_NO_NAME = re.compile(r"[^\w.-]")
# The password in postgres://user:password@host, up to the last @ before the path.
_OF_ADDRESS = re.compile(r"(://[^\s/:@?#]{0,300}:)([^\s/]{1,2000})@")


# The same names come by with each attempt.
@lru_cache(maxsize=1000)
def is_secret(name: str) -> bool:
    """Return whether the name of a variable or an option says that its value is a secret."""
    return name not in _FOLDERS and _SECRET.search(name) is not None


def masked_value(name: str, value: str) -> str:
    """Return the value of a variable as it may be shown; an empty one is shown as such."""
    if not value:
        return value
    return MASK if is_secret(name) else _without_passwords(value)


def masked_words(words: Sequence[str]) -> tuple[str, ...]:
    """Return words of a command line as they may be shown.

    Masked is what follows the secret's name: ``--password=x``, ``password: x``, ``--token x``.
    """
    shown: list[str] = []
    is_value = False
    for word in words:
        if is_value and word and not word.startswith("--"):
            shown.append(MASK)
            is_value = False
            continue
        masked = _masked_word(word)
        shown.append(masked)
        # One that has a value of its own takes no other.
        is_value = masked == word and word.startswith("-") and _names_secret(word)
    return tuple(shown)


def masked_text(text: str) -> str:
    """Return a line that cannot be split into words as it may be shown: up to the first secret."""
    masked = _masked_word(text)
    found = _SECRET.search(masked)
    if found is None:
        return masked
    end = _NO_NAME.search(masked, found.end())
    return masked if end is None else f"{masked[: end.start() + 1]}{MASK}"


def secret_values(
    variables: Mapping[str, str], words: Sequence[str], files: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return the secrets among what an attempt is given; ``files`` are values out of files."""
    found = {value for name, value in variables.items() if is_secret(name)}
    found.update(files)
    found.update(_secrets_in(words))
    for text in (*variables.values(), *words):
        if "://" in text:
            found.update(match[2] for match in _OF_ADDRESS.finditer(text))
    # The longest first: one may be part of another.
    return tuple(sorted((one for one in found if len(one) >= SHORTEST), key=len, reverse=True))


def without(text: str, secrets: Iterable[str]) -> str:
    """Return a text with each of these values masked wherever it occurs."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def _masked_word(word: str) -> str:
    for found in _SEPARATOR.finditer(word):
        start = found.end()
        if start < len(word) and _names_secret(word[_name_start(word, found.start()) : start - 1]):
            return word[:start] + MASK
    return _without_passwords(word)


def _name_start(word: str, end: int) -> int:
    """Return where the name before a separator may begin: behind the separator before it."""
    return max(word.rfind("=", 0, end), word.rfind(":", 0, end)) + 1


def _names_secret(text: str) -> bool:
    """Return whether the last name in a text is that of a secret."""
    return is_secret(_NO_NAME.split(text.rstrip(" \t\"'"))[-1])


def _secrets_in(words: Sequence[str]) -> Iterator[str]:
    for word, shown in zip(words, masked_words(words), strict=True):
        if word != shown and shown.endswith(MASK):
            yield word[len(shown) - len(MASK) :].strip(" \t\"'")


def _without_passwords(text: str) -> str:
    return _OF_ADDRESS.sub(rf"\1{MASK}@", text) if "://" in text else text
