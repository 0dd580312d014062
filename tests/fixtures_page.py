"""The page of made-up results: its plan, its files, and what a reader of its HTML finds in it."""

import json
from html.parser import HTMLParser
from itertools import product

import pandas as pd
from PIL import Image

import render_page
from fixtures_report import CLASS_NAMES, CONFIG, METHODS, ROOT, plan_of, write_csv, write_results
from planning.page import page_plan, shown_figures

SVG = '<?xml version="1.0"?><svg width="9pt" viewBox="0 0 9 9"><metadata/><g id="a"/><use href="#a"/></svg>'
VOID = {"meta", "link", "img", "br", "input", "use", "path", "circle"}  # elements without an end


class Reader(HTMLParser):
    """Collects elements and texts. Asserts that every element ends where it should."""

    def __init__(self):
        super().__init__()
        self.elements, self.open, self.texts = [], [], []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag, (tag, self.getpos())

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.texts.append(data)

    @property
    def words(self):
        """All that is to be read, with single spaces."""
        return " ".join("".join(self.texts).split())

    def all(self, *tags):
        """The attributes of all elements with these tags, in their order."""
        return [attributes for tag, attributes in self.elements if tag in tags]


def read(html):
    """Return the reader of a page."""
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def plan_of_page(*methods):
    """The plan of a page of one study with all experiments of config.yaml that are of these methods."""
    plan, whole = plan_of(*methods), page_plan(CONFIG, ROOT / "report")
    for study in plan["studies"].values():
        study["figures"], study["licence"] = shown_figures(study["figures"]), "its own"
        for told in study["experiments"].values():
            told["model"] = METHODS[told["method"]].model
    return whole | {"studies": plan["studies"], "evaluation": plan["evaluation"]}


def write_page_results(folder, plan):
    """Write all that the program reads."""
    write_results(folder, plan)
    for name, study in plan["studies"].items():
        pairs = list(product(study["experiments"], CLASS_NAMES, CLASS_NAMES))
        table = pd.DataFrame(pairs, columns=["experiment", "true", "predicted"]).assign(run="seed0")
        table["images"] = 1 + 3 * (table["true"] == table["predicted"])
        write_csv(folder / name / "confusion.csv", table)
        figures = folder / name / "figures"
        for place, (kind, names) in enumerate(study["figures"].items()):
            (figures / kind).mkdir(parents=True)
            for number, experiment in enumerate(names):
                Image.new("RGB", (8, 8), (20 * place, number, 0)).save(figures / kind / f"{experiment}.png")
        figures.mkdir(exist_ok=True)
        (figures / "forest.svg").write_text(SVG)


def made_page(folder, plan):
    """Run the program on results that are there; return the HTML."""
    report = folder / "report"
    options = {
        "plan": [json.dumps(plan)],
        "results": [folder],
        "provenance": [report / "provenance.json"],
        "timings": [report / "timings.csv"],
        "sources": [ROOT / "report" / name for name in ("page.html", "published.yaml")],
        "command": ["snakemake --cores all --"],
        "page": [report / "index.html"],
    }
    render_page.main([str(text) for name, values in options.items() for text in (f"--{name}", *values)])
    return (report / "index.html").read_text()


def page_of(folder, plan):
    """Return the HTML of the page of made-up results."""
    write_page_results(folder, plan)
    return made_page(folder, plan)
