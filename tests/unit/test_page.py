"""The page of the results: what it says, that it is sound HTML, and that no text of a user's becomes a part of it."""

import argparse
import base64
import io
import json
import re
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fixtures_page import made_page, page_of, plan_of_page, read, write_page_results
from fixtures_report import (
    DESCRIBED,
    IN_ROUNDS,
    experiment,
    study_with_pseudo_labels,
    summary,
    with_seeds,
)
from reporting.page_charts import MOST, Chart, Line, chart_svg, history_chart, ticks
from reporting.page_findings import help_values, spread
from reporting.page_pictures import inline_svg, small_picture, small_pictures
from reporting.page_rows import MOST_CLASSES, class_confusions, option_rows, own_options, published_rows, table_rows
from reporting.page_text import minutes, points, setting, source
from semisup.cli import UserError
from semisup.plans import add_plan

HOSTILE = """<script>alert('1')</script> & "quotes" </details>"""
LONGEST_ARGUMENT = 131072  # bytes of one argument of a command, on Linux


@pytest.fixture(scope="module", params=[("kmeans",), ("supervised", "fixmatch"), DESCRIBED])
def page(request, tmp_path_factory):
    """The methods of a study and the HTML of its page."""
    return request.param, page_of(tmp_path_factory.mktemp("results"), plan_of_page(*request.param))


# The HTML


def test_names_are_unique_and_links_lead_somewhere(page):
    reader = read(page[1])
    names = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(names) == len(set(names))
    links = [attributes["href"] for attributes in reader.all("a")]
    inner = {link.removeprefix("#") for link in links if link.startswith("#")}
    assert len(inner) > 5
    assert inner <= set(names)
    labelled = [attributes["aria-labelledby"] for _, attributes in reader.elements if "aria-labelledby" in attributes]
    assert set(labelled) <= set(names)
    assert not [link for link in links if "://" in link]


def test_headings_are_in_order(page):
    levels = [int(tag[1]) for tag, _ in read(page[1]).elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_tables_and_pictures_can_be_read_aloud(page):
    reader = read(page[1])
    assert reader.all("html") == [{"lang": "en"}]
    assert len(reader.all("table")) == len(reader.all("caption")) > 2
    assert all(cell["scope"] in ("row", "col") for cell in reader.all("th"))
    assert all(picture["alt"] for picture in reader.all("img"))
    assert all(drawing["role"] == "img" and drawing["aria-label"] for drawing in reader.all("svg"))


def test_nothing_is_fetched(page):
    reader = read(page[1])
    fetched = [attributes.get("src") or attributes.get("href") for attributes in reader.all("img", "link", "script")]
    assert all(path is None or path.startswith("data:") for path in fetched)
    assert not re.search(r"@import|url\((?!#)", page[1])


def test_nothing_is_left_empty(page):
    words = read(page[1]).words
    assert not re.search(r"\b(None|nan|Undefined)\b", words)
    assert not re.search(r"\s[.,;:](\s|$)|\(\)|,,|\.\.\s|[a-z]\.[A-Z]", words)


def test_every_experiment_has_a_row_and_a_card(page):
    methods, html = page
    reader = read(html)
    plan = plan_of_page(*methods)["studies"]["stl10"]["experiments"]
    cards = [attributes["id"] for attributes in reader.all("details") if attributes.get("class") == "card"]
    assert cards == [f"stl10-{name}" for name in plan]
    for told in plan.values():
        assert told["title"] in reader.words
    assert "snakemake --cores all -- " in reader.words
    for name in plan:
        assert f"/stl10/{name}/seed0/scores.npz" in reader.words


def test_questions_lead_to_the_experiments_that_answer_them(page):
    methods, html = page
    questions = html.split('id="questions"')[1].split('id="glossary"')[0]
    assert ("Centroids" in questions) == ("kmeans" in methods)
    assert ("Do pseudo-labels help?" in questions) == (methods != ("kmeans",))
    assert ("k-means and pseudo-labels together" in questions) == bool(set(IN_ROUNDS) & set(methods))
    assert ("Filters of the first layer" in questions) == (methods != ("kmeans",))
    assert "Batch normalisation" in questions


def test_hostile_titles_stay_texts(tmp_path):
    plan = plan_of_page("kmeans", "kmeans_rounds")
    study = plan["studies"]["stl10"]
    study["title"] = HOSTILE
    first = next(iter(study["experiments"]))
    study["experiments"][first] |= {"title": HOSTILE, "short": HOSTILE}
    write_page_results(tmp_path, plan)
    for name in ("per_class", "confusion"):
        table = tmp_path / "stl10" / f"{name}.csv"
        rows = pd.read_csv(table)
        columns = [column for column in ("class", "true", "predicted") if column in rows]
        rows[columns] = rows[columns].replace("cat", HOSTILE)
        rows.to_csv(table, index=False)
    html = made_page(tmp_path, plan)
    assert "<script>alert" not in html
    reader = read(html)
    assert len(reader.all("script")) == 2
    assert reader.words.count(" ".join(HOSTILE.split())) > 5
    found = json.loads(re.search(r'id="compared">(.*?)</script>', html, re.DOTALL).group(1))
    assert found["stl10"]["experiments"][0]["title"] == HOSTILE
    assert HOSTILE in found["stl10"]["experiments"][0]["classes"]


# What it says


def test_banner_stands_on_the_demonstration_alone(tmp_path):
    plan = plan_of_page("kmeans")
    assert "This is the demonstration" not in page_of(tmp_path / "stl10", plan)
    plan["studies"]["stl10"] |= {"kind": "photos", "embedded": True}
    html = page_of(tmp_path / "photos", plan)
    assert "This is the demonstration" in html
    assert "(photos), not STL-10 and MNIST" in read(html).words
    assert 'class="published"' not in html, "nothing is published of photos"


def test_one_seed_claims_nothing(tmp_path):
    plan = with_seeds(plan_of_page("supervised", "fixmatch"), [0], folds=0)
    words = read(page_of(tmp_path, plan)).words
    assert "Each experiment has one seed, so nothing is known of how far seeds differ." in words
    assert re.search(r"Whether unlabelled images help is left open. \d+ comparisons have one run only", words)
    assert not re.search("▲|▼|○", words)


def test_several_seeds_have_verdicts_and_a_spread(tmp_path):
    words = read(page_of(tmp_path, with_seeds(plan_of_page("supervised", "fixmatch"), [0, 1, 2]))).words
    assert "have a standard deviation of 1.0 points (3 seeds)" in words
    assert {"▲ better", "▼ worse", "○ undecided"} <= set(re.findall("[▲▼○] [a-z]+", words))


def test_tables_without_folds(tmp_path):
    """Then comparison.csv has no columns of folds at all."""
    plan = with_seeds(plan_of_page("kmeans"), [0, 1], folds=0)
    write_page_results(tmp_path, plan)
    table = tmp_path / "stl10/comparison.csv"
    rows = pd.read_csv(table)
    assert rows.filter(like="folds_").isna().all(axis=None)
    rows.drop(columns=rows.filter(like="folds_").columns).to_csv(table, index=False)
    words = read(made_page(tmp_path, plan)).words
    assert "4,000 labels, seeds" in words
    assert "1,000 labels, folds" not in words


@pytest.mark.parametrize(
    ("file", "column"),
    [
        ("comparison.csv", "seeds_test_accuracy_mean"),
        ("label_curve.csv", "labels"),
        ("per_class.csv", "class"),
        ("confusion.csv", "images"),
        ("near_copy_counts.csv", "split"),
        ("clustering.csv", "best"),
        ("../report/timings.csv", "seconds"),
    ],
)
def test_missing_column_is_named_in_one_line(tmp_path, file, column):
    plan = plan_of_page("kmeans")
    write_page_results(tmp_path, plan)
    path = tmp_path / "stl10" / file
    pd.read_csv(path).drop(columns=column).to_csv(path, index=False)
    with pytest.raises(UserError) as caught:
        made_page(tmp_path, plan)
    assert re.fullmatch(rf".*{path.name} lacks the columns {column}: give [a-z_ ]+", str(caught.value))


def test_missing_experiment_is_named_in_one_line(tmp_path):
    plan = plan_of_page("kmeans")
    write_page_results(tmp_path, plan)
    path = tmp_path / "stl10/comparison.csv"
    rows = pd.read_csv(path)
    rows[rows["experiment"] != "kmeans_coates"].to_csv(path, index=False)
    with pytest.raises(UserError, match="lacks the experiments kmeans_coates: make it again"):
        made_page(tmp_path, plan)


def test_whether_unlabelled_images_helped():
    rows = [row | {"short": row["name"]} for row in study_with_pseudo_labels()]
    found = help_values(rows)
    counts = {"compared": 8, "better": 4, "worse": 2, "undecided": 2, "single": 0, "otherwise": 0}
    assert {name: found[name] for name in counts} == counts
    assert (found["most"]["title"], found["most"]["baseline"]) == ("PROBE", "PLAIN")
    assert help_values([experiment("kmeans", "kmeans", "kmeans", short="KM")]) is None


def test_gain_of_other_options_is_not_that_of_the_images():
    runs = {"runs": 3}
    rows = [
        experiment("plain", "supervised", "plain", seeds=runs, options={"epochs": 10}),
        experiment("alike", "fixmatch", "plain", seeds=runs | summary(0.1), options={"epochs": 10}),
        experiment("longer", "fixmatch", "plain", seeds=runs | summary(0.2), options={"epochs": 20}),
    ]
    found = help_values(rows)
    assert (found["compared"], found["better"], found["otherwise"]) == (1, 1, 1)
    assert found["most"]["title"] == "ALIKE"
    shown = table_rows([row | {"short": row["name"], "family": "beside", "folds": {}, "fewer": []} for row in rows], {})
    verdicts = {row["name"]: row["verdict"] for row in shown}
    assert verdicts == {"plain": None, "alike": "better", "longer": "not comparable"}


def test_seeds_that_differ_most():
    def row(name, runs, std=None):
        seeds = {"labels": 9.0, "runs": runs, "test_accuracy_std": std}
        return {"short": name, "seeds": seeds, "folds": seeds | {"test_accuracy_std": 0.5}, "fewer": []}

    assert spread([row("one", 1.0)]) is None
    found = spread([row("near", 3.0, 0.01), row("far", 3.0, 0.03), row("one", 1.0)])
    assert found == {"short": "far", "runs": 3, "std": 0.03, "compared": 2}


# Rows


def of_table(name, baseline, **summaries):
    row = experiment(name, "supervised", baseline, **summaries)
    return row | {"short": name, "family": "labels", "folds": summaries.get("folds", {}), "fewer": row.get("fewer", [])}


def test_rows_of_most_labels_come_first_and_of_these_the_best():
    always = {"runs": 3.0, "test_accuracy_mean": 0.5}
    fewer = [{"protocol": "labels", "labels": 50, "runs": 3, "test_accuracy_mean": 0.9}]
    rows = [
        of_table("plain", "plain", seeds=always, fewer=fewer),
        of_table("better", "plain", seeds=always | summary(0.1) | {"test_accuracy_mean": 0.6}),
        of_table("once", "plain", seeds=always | summary(0.1, runs=1) | {"test_accuracy_mean": 0.4}),
    ]
    found = table_rows(rows, {"plain": 60.0})
    shown = [(row["name"], row["labels"], row["run"], row["verdict"], row["seconds"]) for row in found]
    assert shown == [
        ("better", 4000, "seed", "better", None),
        ("plain", 4000, "seed", None, 60.0),
        ("once", 4000, "seed", "none", None),
        ("plain", 50, "seed", None, None),
    ]
    assert [row["is_baseline"] for row in found] == [False, True, False, True]


def test_published_rows_are_those_of_the_methods():
    rows = [{"method": method, "labels": labels, "accuracy": 1} for method, labels in (("a", 1), ("b", 9), ("a", 5))]
    assert [row["labels"] for row in published_rows(rows, ["a"])] == [5, 1]


def test_published_rows_are_in_the_table(tmp_path):
    html = page_of(tmp_path, plan_of_page("kmeans"))
    (row,) = re.findall(r'<tr class="published">.*?</tr>', html, re.DOTALL)
    words = read(row).words
    for part in ("k-means", "Coates 2011, Table 3", "1,600 centroids", "1,000", "51.5 ± 1.7", "published"):
        assert part in words


def test_many_classes_have_their_most_frequent_confusions(tmp_path):
    names = [f"{number:03}" for number in range(MOST_CLASSES + 1)]
    rows = [{"experiment": "one", "run": "seed0", "true": a, "predicted": b, "images": 0} for a in names for b in names]
    pairs = {("001", "000"): 2, ("000", "020"): 5, ("003", "003"): 9}
    for row in rows:
        row["images"] = pairs.get((row["true"], row["predicted"]), 0)
    pd.DataFrame(rows).to_csv(tmp_path / "confusion.csv", index=False)
    assert class_confusions(tmp_path / "confusion.csv")["one"] == {
        "pairs": [
            {"true": "000", "predicted": "020", "images": 5},
            {"true": "001", "predicted": "000", "images": 2},
        ]
    }


def test_confusions_are_parts_of_the_true_class_over_all_seeds(tmp_path):
    rows = [("seed0", "a", "a", 3), ("seed0", "a", "b", 1), ("seed1", "a", "a", 1), ("seed1", "a", "b", 3)]
    rows += [("seed0", "b", "a", 0), ("seed0", "b", "b", 0), ("fold0", "b", "a", 7)]
    table = pd.DataFrame(rows, columns=["run", "true", "predicted", "images"]).assign(experiment="one")
    table.to_csv(tmp_path / "confusion.csv", index=False)
    assert class_confusions(tmp_path / "confusion.csv")["one"] == {
        "names": ["a", "b"],
        "rows": [{"name": "a", "shares": [0.5, 0.5]}, {"name": "b", "shares": [0.0, 0.0]}],
    }


def test_options_that_differ_and_those_of_its_own():
    plain = {"options": {"epochs": 10, "flip": True, "folds": True}}
    other = {"options": {"epochs": 20, "flip": True, "threshold": 0.9, "folds": False}}
    assert option_rows(other, plain) == [{"name": "epochs", "own": 20, "other": 10}]
    assert own_options(other, plain) == [{"name": "threshold", "own": 0.9}]
    assert [option["name"] for option in own_options(plain, plain)] == ["epochs", "flip", "folds"]


# Curves


def test_curves_of_a_training_are_in_per_cent():
    tables = [
        pd.DataFrame({"epoch": [1, 2], "validation_accuracy": [0.5, 0.6], "train_accuracy": [np.nan, 0.7]})
        for _ in range(2)
    ]
    chart = history_chart(tables)
    assert [(line.kind, line.points) for line in chart.lines[:2]] == [
        ("validation", [(1.0, 50.0), (2.0, 60.0)]),
        ("training", [(2.0, 70.0)]),
    ]
    assert len(chart.lines) == 4
    assert chart.kinds == ["validation", "training"]
    assert chart.words == "Curve of validation accuracy (%): 50 at epoch 1, 60 at epoch 2."


def test_curve_of_a_solver_is_its_objective():
    chart = history_chart([pd.DataFrame({"iteration": range(1000), "objective": np.linspace(3, 1, 1000)})])
    (line,) = chart.lines
    assert (line.kind, len(line.points)) == ("objective", MOST)
    assert (line.points[0], line.points[-1]) == ((0.0, 3.0), (999.0, 1.0))
    assert chart.words == "Curve of objective: 3 at iteration 0, 1 at iteration 999."


@pytest.mark.parametrize("table", [{}, {"epoch": [1]}, {"epoch": [1], "validation_accuracy": [np.nan]}, {"loss": [1]}])
def test_history_without_a_curve(table):
    assert history_chart([pd.DataFrame(table)]) is None
    assert history_chart([]) is None


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (59.5, 84.5), (-3.0, 1e-3), (5.0, 5.0), (0.0, 0.0), (0.0, 7e6)])
def test_ticks_are_round_and_reach_around(low, high):
    found = ticks(low, high)
    assert found[0] <= low
    assert high <= found[-1]
    assert found[0] < found[-1]
    assert 2 <= len(found) <= 9
    assert np.allclose(np.diff(found), found[1] - found[0])


@pytest.mark.parametrize("points_", [[(1.0, 50.0)], [(1.0, 50.0), (2.0, 50.0)], [(1.0, 40.0), (30.0, 90.0)]])
def test_every_point_lies_inside_the_chart(points_):
    svg = chart_svg(Chart([Line("validation", points_)], "epoch", "accuracy (%)"))
    read(svg)
    places = re.search(r'class="line validation" d="M([^"]*)"', svg).group(1).split("L")
    assert len(places) == len(points_)
    for place in places:
        x, y = map(float, place.split())
        assert 0 < x < 480
        assert 0 < y < 250


# Pictures


def noise(path, seed=0, side=300):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_small_picture_stays_as_it_is(tmp_path):
    dots = np.random.default_rng(0).random((64, 64)) < 0.5
    Image.fromarray(dots).save(tmp_path / "dots.png")
    encoded = base64.b64encode((tmp_path / "dots.png").read_bytes()).decode()
    assert small_picture(tmp_path / "dots.png", 900) == f"data:image/png;base64,{encoded}"


def test_large_picture_is_scaled_down(tmp_path):
    path = noise(tmp_path / "noise.png")
    whole, half = small_picture(path, 300), small_picture(path, 150)
    assert whole.startswith("data:image/webp;base64,")
    assert len(half) < len(whole) / 2


def test_pictures_fit_together(tmp_path):
    paths = [noise(tmp_path / f"{seed}.png", seed, side=800) for seed in range(3)]
    all_whole = sum(len(small_picture(path, 900)) for path in paths)
    all_small = sum(len(small_picture(path, 350)) for path in paths)
    assert set(small_pictures(paths, all_whole)) == set(paths)
    scaled = small_pictures(paths, all_whole - 1)
    assert set(scaled) == set(paths)
    assert sum(map(len, scaled.values())) < all_whole
    assert set(small_pictures(paths, all_small - 1)) == set(paths[:2]), "the last ones are left out"


def test_damaged_picture_is_named_in_one_line(tmp_path):
    path = noise(tmp_path / "noise.png")
    for content in (b"", path.read_bytes()[:1000]):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"noise.png is no picture, or damaged: delete its folder and run again"):
            small_picture(path, 900)


def test_equal_picture_is_in_the_page_once(tmp_path):
    plan = plan_of_page("supervised")
    write_page_results(tmp_path, plan)
    names = plan["studies"]["stl10"]["figures"]["augmentations"]
    assert len(names) > 2
    folder = tmp_path / "stl10/figures/augmentations"
    (folder / f"{names[1]}.png").write_bytes((folder / f"{names[0]}.png").read_bytes())
    html = made_page(tmp_path, plan)
    assert f'<a href="#stl10-{names[0]}-augmentations">The picture is that of <code>{names[0]}</code></a>' in html
    shown = [place for place in re.findall(r'<figure id="([^"]*)">\s*<a class="paper"', html) if "augm" in place]
    assert shown == [f"stl10-{name}-augmentations" for name in names if name != names[1]]


def test_svg_names_do_not_meet_those_of_another(tmp_path):
    path = tmp_path / "forest.svg"
    path.write_text(
        '<?xml version="1.0"?>\n<!DOCTYPE svg>\n<svg xmlns="http://www.w3.org/2000/svg" width="9pt" height="8pt" '
        'viewBox="0 0 9 8"><metadata>who made it</metadata><g id="clip"/><use xlink:href="#clip"/>'
        '<path clip-path="url(#clip)" width="3"/></svg>\n'
    )
    svg = inline_svg(path, "forest-one", 'more & "most"')
    assert svg.startswith(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 8" role="img" aria-label="more &amp; '
    )
    assert re.findall(r'id="([^"]*)"|href="#([^"]*)"|url\(#([^)]*)\)', svg) == [
        ("forest-one-clip", "", ""),
        ("", "forest-one-clip", ""),
        ("", "", "forest-one-clip"),
    ]
    assert "who made it" not in svg
    assert 'width="3"' in svg
    path.write_text("no picture")
    with pytest.raises(UserError, match=r"forest.svg is no SVG, or damaged"):
        inline_svg(path, "forest", "words")


# Texts and plan


def test_how_numbers_are_written():
    assert [minutes(90), minutes(900), minutes(600000)] == ["1.5", "15", "10,000"]
    assert [points(-0.015), points(0.0), points(0.2)] == ["\N{MINUS SIGN}1.5", "+0.0", "+20.0"]
    settings = {"yes": True, "0.1": 0.1, "0.1, 4": [0.1, 4.0], "none": [], "auto": "auto", "3": 3}
    assert [setting(value) for value in settings.values()] == list(settings)
    assert source("sohn2020") == "Sohn 2020"


def test_plan_longer_than_an_argument_may_be_comes_on_standard_input(monkeypatch):
    plan = {"studies": {"large": "x" * LONGEST_ARGUMENT}}
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(plan)))
    parser = argparse.ArgumentParser()
    add_plan(parser, "studies")
    assert parser.parse_args(["--plan", "-"]).plan == plan
