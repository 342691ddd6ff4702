"""What the pages say, in English and German; the texts are the files ``templates/voila/words/*.toml``."""

from __future__ import annotations

import tomllib
from functools import cache

from peaktrade_core.base.errors import UnknownNameError
from peaktrade_core.base.resources import share_dir

LANGUAGES = ("en", "de")


@cache
def words(language: str) -> dict[str, str]:
    """Return the texts of a language, ``en`` or ``de``; callers share them and change nothing.

    Raises:
        UnknownNameError: no such language.
    """
    if language not in LANGUAGES:
        raise UnknownNameError("language", language, LANGUAGES)
    path = share_dir() / "templates" / "voila" / "words" / f"{language}.toml"
    return dict(tomllib.loads(path.read_text(encoding="utf-8")))
