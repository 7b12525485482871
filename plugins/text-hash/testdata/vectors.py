"""Computes vectors.json with scikit-learn's HashingVectorizer: plugins/vectors.sh text-hash. Equal after rounding to float32."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "internal" / "vectors"))

from cases import case, column, write
from documents import DOCUMENTS, around_word_characters, random_texts, upper_case
from sklearn.feature_extraction.text import HashingVectorizer


def vectorised(name, documents, n=16, output=None, **options):
    y = HashingVectorizer(n_features=n, **({"norm": None} if options.get("norm") == "none" else {}), **{k: v for k, v in options.items() if k != "norm" or v != "none"})
    present = [d for d in documents if d is not None]
    rows = iter(y.transform(present).toarray() if present else [])
    parameters = {"column": "text", "n_features": n, **options}
    if output:
        parameters["output"] = output
    return case(name, parameters, [column("text", documents, "utf8")], [column(output or "text", [None if d is None else next(rows) for d in documents], "float_vector", n)])


some = [*DOCUMENTS, None, *random_texts(30, 1)]
x = [column("text", ["a"], "utf8")]
one = {"column": "text", "n_features": 4}
write([
    vectorised("words", some),
    vectorised("words in pairs, another name", some, 20, ngram_range=(1, 2), output="v"),
    vectorised("pairs and threes, no signs, l1", some, 32, ngram_range=(2, 3), alternate_sign=False, norm="l1"),
    vectorised("counts", some, 16, norm="none", lowercase=False),
    vectorised("binary", some, 8, binary=True, norm="none"),
    vectorised("binary, l2", some, 8, binary=True, norm="l2", alternate_sign=False),
    vectorised("without stop words", some, 16, stop_words=["the", "and", "łódź"], ngram_range=(1, 2), norm="none"),
    vectorised("characters", some, 24, analyzer="char", ngram_range=(1, 3)),
    vectorised("threes of characters", some, 24, analyzer="char", ngram_range=(3, 3), norm="none"),
    vectorised("characters within words", some, 24, analyzer="char_wb", ngram_range=(2, 4)),
    vectorised("all word characters", around_word_characters(), 64, norm="none", alternate_sign=False),
    vectorised("all of lower case", upper_case(), 64, norm="none", alternate_sign=False),
    vectorised("white space", ["a" + chr(c) + " b" + chr(c) + "c" for c in [*range(33), 0x7f, 0x85, 0xa0, 0x1680, 0x180e, *range(0x2000, 0x2010), 0x2028, 0x2029, 0x202f, 0x205f, 0x2060, 0x3000, 0xfeff]], 16, analyzer="char", ngram_range=(1, 2), norm="none"),
    vectorised("words at white space", ["a" + chr(c) + "b" + chr(c) for c in [*range(33), 0x7f, 0x85, 0xa0, 0x1680, 0x180e, *range(0x2000, 0x2010), 0x2028, 0x2029, 0x202f, 0x205f, 0x2060, 0x3000, 0xfeff]], 16, analyzer="char_wb", ngram_range=(3, 3), norm="none"),
    vectorised("one cell", some, 1),
    vectorised("no rows", []),
    case("no column", {"n_features": 4}, x, error="column"),
    case("range upside down", {**one, "ngram_range": [2, 1]}, x, error="ngram_range"),
    case("range of zero", {**one, "ngram_range": [0, 1]}, x, error="ngram_range"),
    case("stop words of characters", {**one, "analyzer": "char", "stop_words": ["a"]}, x, error="stop_words"),
    case("unknown analyzer", {**one, "analyzer": "sentence"}, x, error="analyzer"),
    case("unknown key", {**one, "token_pattern": "."}, x, error="token_pattern"),
    case("numbers", one, [column("text", [1.0])], error='input column "text" is float64, it must be utf8'),
])
