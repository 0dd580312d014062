"""CITATION.cff has what schema 1.2.0 of the Citation File Format asks, and what a citation needs."""

import datetime
import re

import pytest
import yaml

from fixtures_snakemake import ROOT

CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
REQUIRED = {"cff-version", "message", "title", "authors"}
# What else stands at the top of a file of schema 1.2.0, which allows no other keys.
ALLOWED = {"abstract", "commit", "contact", "date-released", "doi", "identifiers", "keywords", "license", "license-url"}
ALLOWED |= {"preferred-citation", "references", "repository", "repository-artifact", "repository-code", "type", "url"}
ALLOWED |= {"version"}


def test_the_keys_are_those_of_the_schema():
    assert REQUIRED - CITATION.keys() == set()
    assert CITATION.keys() - REQUIRED - ALLOWED == set()
    assert CITATION["cff-version"] == "1.2.0"
    assert CITATION["type"] == "software"


@pytest.mark.parametrize("key", ["message", "title", "abstract", "version", "license", "date-released"])
def test_texts_are_texts(key):
    """YAML reads 1.0 as a number and an unquoted date as a date; the schema asks for texts."""
    assert isinstance(CITATION[key], str)
    assert CITATION[key].strip()


def test_the_version_has_three_numbers_and_the_date_is_a_day():
    assert re.fullmatch(r"\d+\.\d+\.\d+", CITATION["version"])
    assert datetime.date.fromisoformat(CITATION["date-released"])


def test_the_licence_is_that_of_the_repository():
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith(f"{CITATION['license']} License")


def test_authors_and_keywords_are_named_once():
    for author in CITATION["authors"]:
        assert author.keys() & {"name", "family-names"}
    names, keywords = [str(author) for author in CITATION["authors"]], CITATION["keywords"]
    for values in (names, keywords):
        assert values
        assert len(set(values)) == len(values)


def test_no_address_is_a_placeholder():
    addresses = [str(CITATION[key]) for key in ("url", "repository-code", "repository", "doi") if key in CITATION]
    assert not [address for address in addresses if re.search(r"[<>]|example\.|owner|XXXX", address)]
