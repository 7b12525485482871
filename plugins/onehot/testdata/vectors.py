"""Computes vectors.json with scikit-learn's OneHotEncoder: plugins/vectors.sh onehot. Equal."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "internal" / "vectors"))

import numpy as np
from cases import case, column, write
from sklearn.preprocessing import OneHotEncoder


def encoded(name, train, test, unknown=None, **options):
    """train and test: {column: texts}; a null is no category, as a text that was never seen."""
    encoder = OneHotEncoder(handle_unknown=unknown or "ignore", sparse_output=False, **options)
    encoder.fit(np.column_stack([np.array(v, dtype=object) for v in train.values()]))
    y = encoder.transform(np.column_stack([np.array(["\x00never" if x is None else x for x in v], dtype=object) for v in test.values()]))
    columns, labels = [], []
    rare = getattr(encoder, "infrequent_categories_", None) or [None] * len(train)
    for i, n in enumerate(train):
        few = [] if rare[i] is None else [str(c) for c in rare[i]]
        c = {"name": n, "categories": [str(t) for t in encoder.categories_[i] if t not in few]}
        labels += [f"{n}={t}" for t in c["categories"]]
        if few:
            c["infrequent"] = few
            labels.append(f"{n}=infrequent")
        columns.append(c)
    parameters = {"columns": columns}
    if unknown:
        parameters["handle_unknown"] = unknown
    at = 0
    for i, c in enumerate(columns):  # a null has zeros, also where unknown texts count as infrequent
        width = len(c["categories"]) + ("infrequent" in c)
        for r, v in enumerate(test[c["name"]]):
            if v is None:
                y[r, at:at + width] = 0
        at += width
    return case(name, parameters, [column(n, v, "utf8") for n, v in test.items()], [column(n, y[:, i]) for i, n in enumerate(labels)])


train = {"city": ["Kraków"] * 5 + ["Łódź"] * 4 + ["Gdańsk", "東京", ""], "device": ["phone"] * 7 + ["tablet"] * 5}
test = {"city": ["Łódź", "łódź", "", None, "東京", "Gdańsk", "Radom", "Kraków"], "device": ["phone", None, "tablet", "tv", "", "phone", "phone", "tablet"]}
x = [column("x", ["a"], "utf8")]
one = {"columns": [{"name": "x", "categories": ["a", "b"]}]}
write([
    encoded("known, unknown, empty and null", train, test),
    encoded("unknown is ignored", train, test, "ignore"),
    encoded("rare texts together", train, test, min_frequency=3),
    encoded("rare and unknown texts together", train, test, "infrequent_if_exist", min_frequency=3),
    encoded("at most two outputs", train, test, "infrequent_if_exist", max_categories=2),
    encoded("many categories", {"c": [f"c{i}" for i in range(300)]}, {"c": [f"c{i}" for i in range(0, 400, 7)]}),
    case("two columns, one category of no text", {"columns": [{"name": "a", "categories": ["", "x"]}, {"name": "b", "categories": ["x"]}]},
         [column("b", ["x", "y"], "utf8"), column("a", ["", "x"], "utf8")], [column("a=", [1, 0]), column("a=x", [0, 1]), column("b=x", [1, 0])]),
    case("escapes in the parameters", {"columns": [{"name": 'q"\\\u0001', "categories": ["😀", "\n\t/"]}]},
         [column('q"\\\u0001', ["😀", "\n\t/"], "utf8")], [column('q"\\\u0001=😀', [1, 0]), column('q"\\\u0001=\n\t/', [0, 1])]),
    case("no rows", one, [column("x", [], "utf8")], [column("x=a", []), column("x=b", [])]),
    case("a category twice", {"columns": [{"name": "x", "categories": ["a", "a"]}]}, x, error='lists the category "a" twice'),
    case("both frequent and not", {"columns": [{"name": "x", "categories": ["a"], "infrequent": ["a"]}]}, x, error='lists the category "a" twice'),
    case("outputs of one name", {"columns": [{"name": "x", "categories": ["b=c"]}, {"name": "x=b", "categories": ["c"]}]}, x, error='two outputs would be named "x=b=c"'),
    case("unknown key", {**one, "drop": "first"}, x, error="drop"),
    case("a number", one, [column("x", [1.0])], error='input column "x" is float64, it must be utf8'),
    case("missing column", one, [column("y", ["a"], "utf8")], error='input column "x" is missing'),
])
