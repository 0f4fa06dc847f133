"""Names in four scripts made comparable: one key for all the ways in which files write the same name.

The key ignores case, marks, spaces and punctuation, and treats letters alike that keyboards confuse: Arabic and Urdu
forms of yeh, kaf and heh, and Cyrillic ё and е. Words that only say what kind of place it is (province, область, 省,
صوبہ) are dropped in a second, weaker key, so that ``Иркутская`` finds ``Иркутская область`` where no other place
would answer.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache

__all__ = ["LANGUAGES", "NameIndex", "bare_key", "name_in", "name_key"]

LANGUAGES = ("en", "zh-hans", "ru", "ur")

# Letters that no Unicode decomposition joins, but writers do.
_ALIKE = str.maketrans(
    {
        "ي": "ی", "ى": "ی", "ك": "ک", "ه": "ہ", "ة": "ہ", "ھ": "ہ", "ە": "ہ", "ں": "ن", "ٱ": "ا", "ـ": None,
        "ё": "е", "ı": "i", "ø": "o", "ł": "l", "đ": "d", "ə": "a", "æ": "ae", "œ": "oe", "&": " and ",
        "'": None, "’": None, "‘": None, "ʻ": None, "ʼ": None, "`": None, "ь": None, "ъ": None,
    }
)  # fmt: skip
_KINDS = frozenset(
    """
    province prov oblast krai kray okrug autonomous republic region state territory prefecture county governorate
    respublika sheng zizhiqu wilayat aimag velayat voivodeship municipality of the
    республика респ область обл край автономныи автономная округ ао провинция регион вилоят
    صوبہ علاقہ جمہوریہ خود مختار اوبلاست کرائی آکرگ
    """.translate(_ALIKE).split()
)
_CHINESE_KINDS = re.compile(r"(?<=\w\w)(?:维吾尔|壮族|回族)?(?:自治区|特别行政区|共和国|边疆区|自治州|省|州)$")


def _words(text: str) -> list[str]:
    # Case and marks first: the table of like letters is written in bare lower-case letters.
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(sign))
    return "".join(sign if sign.isalnum() else " " for sign in bare.translate(_ALIKE) if sign not in ".·").split()


@lru_cache(maxsize=65_536)
def name_key(text: str) -> str:
    """Return the key under which all spellings of one name meet; empty if the text holds no letter or digit."""
    return "".join(_words(text))


@lru_cache(maxsize=65_536)
def bare_key(text: str) -> str:
    """Return the weaker key, without the words that name the kind of place; the full key if nothing else is left."""
    words = _words(text)
    kept = "".join(word for word in words if word not in _BARE_KINDS)
    return _CHINESE_KINDS.sub("", kept) or "".join(words)


_BARE_KINDS = frozenset(word for kind in _KINDS for word in _words(kind))


def name_in(names: Mapping[str, str], language: str) -> str:
    """Return the name in a language of `LANGUAGES` (``zh-Hans`` too), in English where that language has none."""
    return names.get(language.replace("_", "-").lower()) or names["en"]


class NameIndex:
    """Which codes answer to a name: exactly, by the weaker key, or nearly."""

    def __init__(self) -> None:
        self._full: dict[str, set[str]] = {}
        self._bare: dict[str, set[str]] = {}

    def add(self, code: str, names: Iterable[str]) -> None:
        """Let `code` answer to each of `names`."""
        for name in names:
            full = name_key(name)
            if full:
                self._full.setdefault(full, set()).add(code)
                self._bare.setdefault(bare_key(name), set()).add(code)

    def exact(self, text: str) -> frozenset[str]:
        """Codes with a name of the same full key."""
        return frozenset(self._full.get(name_key(text), ()))

    def loose(self, text: str) -> frozenset[str]:
        """Codes with a name of the same weaker key."""
        key = bare_key(text)
        return frozenset(self._bare.get(key, ())) if key else frozenset()

    def near(self, text: str, *, limit: int = 5) -> list[str]:
        """Codes whose names are spelt much like `text`, best first: what a person may have meant."""
        close = get_close_matches(name_key(text), self._full, n=limit, cutoff=0.8)
        return list(dict.fromkeys(code for key in close for code in sorted(self._full[key])))
