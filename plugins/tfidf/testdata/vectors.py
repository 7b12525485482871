"""Computes vectors.json with scikit-learn's TfidfVectorizer: plugins/vectors.sh tfidf.

Equal after rounding to float32, but for sublinear_tf, whose logarithm may differ in the last bit of a double: tolerance 1e-7.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "internal" / "vectors"))

from cases import case, column, write
from documents import DOCUMENTS, random_texts
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer


def weighed(name, train, documents, output=None, **options):
    arguments = {k: None if v == "none" else v for k, v in options.items() if k != "use_idf"}
    counts = options.get("use_idf") is False and arguments.get("norm", "l2") is None
    v = CountVectorizer(**{k: a for k, a in arguments.items() if k != "norm"}) if counts else TfidfVectorizer(use_idf=options.get("use_idf", True), **arguments)
    v.fit(train)
    present = [d for d in documents if d is not None]
    rows = iter(v.transform(present).toarray() if present else [])
    terms = [str(t) for t in v.get_feature_names_out()]
    parameters = {"column": "text", "vocabulary": terms, **{k: o for k, o in options.items() if k != "use_idf"}}
    if options.get("use_idf", True):
        parameters["idf"] = list(v.idf_)
    if output:
        parameters["output"] = output
    return case(name, parameters, [column("text", documents, "utf8")], [column(output or "text", [None if d is None else next(rows) for d in documents], "float_vector", len(terms))],
                1e-7 if options.get("sublinear_tf") else None)


train = [*DOCUMENTS, *random_texts(10, 3)]
test = [*DOCUMENTS[::2], None, *random_texts(12, 4), "the the the fox, the end"]
x = [column("text", ["a"], "utf8")]
one = {"column": "text", "vocabulary": ["aa", "bb"]}
write([
    weighed("words", train, test),
    weighed("l1", train, test, norm="l1"),
    weighed("no norm, another name", train, test, norm="none", output="v"),
    weighed("sublinear", train, test, sublinear_tf=True),
    weighed("sublinear, no norm, binary off", train, test, sublinear_tf=True, norm="none", binary=False),
    weighed("binary", train, test, binary=True),
    weighed("no idf", train, test, use_idf=False),
    weighed("counts", train, test, use_idf=False, norm="none"),
    weighed("as it is written", train, test, lowercase=False),
    weighed("pairs of words without stop words", DOCUMENTS, test, ngram_range=(1, 2), stop_words=["the", "and"]),
    weighed("characters", DOCUMENTS[:3], test, analyzer="char", ngram_range=(1, 2)),
    weighed("characters within words", DOCUMENTS[:4], test, analyzer="char_wb", ngram_range=(3, 3)),
    case("order of the vocabulary", {"column": "text", "vocabulary": ["zz", "aa", "never", ""], "idf": [2, 1, 7, 1], "norm": "none"}, [column("text", ["aa zz aa", "zz", "b", None], "utf8")],
         [column("text", [[2, 2, 0, 0], [2, 0, 0, 0], [0, 0, 0, 0], None], "float_vector", 4)]),
    case("no rows", one, [column("text", [], "utf8")], [column("text", [], "float_vector", 2)]),
    case("idf of another length", {**one, "idf": [1]}, x, error='"idf" has 1 numbers, "vocabulary" 2 terms'),
    case("a term twice", {"column": "text", "vocabulary": ["aa", "bb", "aa"]}, x, error="vocabulary"),
    case("no terms", {"column": "text", "vocabulary": []}, x, error="vocabulary"),
    case("unknown norm", {**one, "norm": "max"}, x, error="norm"),
    case("unknown key", {**one, "max_df": 0.5}, x, error="max_df"),
    case("missing column", one, [column("other", ["a"], "utf8")], error='input column "text" is missing'),
])
