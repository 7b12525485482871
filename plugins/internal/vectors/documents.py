"""Texts that the vectors of text-hash and tfidf are made of."""
import random
import re

DOCUMENTS = [
    "The quick brown fox jumps over the lazy dog.",
    "the dog and the fox; THE DOG!",
    "Zażółć gęślą jaźń, ŁÓDŹ i Kraków – pchnąć w tę łódź jeża",
    "naïve café façade, ÆØÅ ĞÜŞİÖÇ straße STRASSE",
    "Съешь ещё этих мягких французских булок, ДА ВЫПЕЙ чаю",
    "東京都 は 日本 の 首都 です。 ひらがな カタカナ",
    "مرحبا بالعالم नमस्ते दुनिया שלום עולם",
    "a b c de f_g _ __ 1 22 3.14 x2 ½ ²³ Ⅷ",
    "emoji 📱📱 ok 👍🏽 e\u0301te\u0301 ﬁn Ǆ ǅ ǆ",
    "tabs\tand\nnewlines\r\n  and   blanks \u00a0\u2003wide\u3000 end ",
    "one", "a", "", " ", "\n", "?!", "\u001f\u0085x\u0085\u0085yy",
]


def around_word_characters():
    """Texts with the first and the last character of each run of word characters, and its neighbours, within words."""
    edge, before = [], False
    for c in range(0x110000):
        if 0xD800 <= c < 0xE000:
            continue
        inside = re.match(r"\w", chr(c)) is not None
        if inside != before:
            edge += [c - 1, c] if c > 0 and c != 0xE000 else [c]
        before = inside
    marks = [f"a{chr(c)}b" for c in sorted(set(edge)) if chr(c).lower() == chr(c)]
    return [" ".join(marks[i:i + 64]) for i in range(0, len(marks), 64)]


def upper_case():
    """Texts of all letters that have a lower case; the capital sigma is not at the end of a word."""
    marks = [f"{chr(c)}x" for c in range(0x110000) if not 0xD800 <= c < 0xE000 and chr(c).lower() != chr(c)]
    return [" ".join(marks[i:i + 64]) for i in range(0, len(marks), 64)]


def random_texts(n, seed):
    rng = random.Random(seed)
    letters = "aabbcc dd  eé ż\t\nŁ1_-.,'東📱"
    return ["".join(rng.choice(letters) for _ in range(rng.randrange(0, 40))) for _ in range(n)]
