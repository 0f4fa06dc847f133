"""The coded fields of a case, and what files of the four languages write for each code."""

__all__ = ["AGE_UNKNOWN", "CASE_CLASSES", "CLASSIFICATION", "OUTCOME", "OUTCOMES", "SEX", "SEXES", "code_table"]

AGE_UNKNOWN = None
SEXES = ("female", "male", "other", "unknown")
CASE_CLASSES = ("suspected", "probable", "confirmed", "discarded", "unknown")
OUTCOMES = ("ill", "recovered", "died", "unknown")

SEX = {
    "female": "f female woman girl 女 女性 ж жен жен. женский женщина عورت خاتون زنانہ مؤنث لڑکی",
    "male": "m male man boy 男 男性 м муж муж. мужской мужчина مرد مردانہ مذکر لڑکا",
    "other": "o x other intersex 其他 другой دیگر",
    "unknown": "u",
}
CLASSIFICATION = {
    "suspected": "s suspected suspect susp clinical 疑似 疑似病例 подозрительный подозрение مشتبہ",
    "probable": "p probable prob 可能 临床诊断 临床诊断病例 вероятный ممکنہ",
    "confirmed": "c confirmed conf laboratory lab-confirmed 确诊 确诊病例 实验室确诊 подтвержденный подтверждённый"
    " подтвержден تصدیق_شدہ مصدقہ",
    "discarded": "d discarded not_a_case non-case negative 排除 排除病例 отклонен исключен исключён خارج مسترد",
    "unknown": "u",
}
OUTCOME = {
    "ill": "ill sick hospitalised hospitalized active under_treatment 在治 болен лечится زیر_علاج",
    "recovered": "r recovered alive discharged discharge recover survived 治愈 存活 出院 выздоровел жив выписан"
    " صحتیاب زندہ",
    "died": "d died dead death deceased fatal 死亡 умер умерла смерть летальный وفات فوت انتقال",
    "unknown": "u",
}


def code_table(words: dict[str, str], extra: dict[str, str]) -> dict[str, str]:
    """Return text in lower case to code: the usual words, overlaid with the mapping's own."""
    usual = {word.replace("_", " "): code for code, row in words.items() for word in (code, *row.split())}
    return usual | {text.strip().lower(): code for text, code in extra.items()}
