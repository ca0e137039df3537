from __future__ import annotations

from squad.actors.gateway.catalogue import Catalogue, shown
from squad.errors import Problem
from squad.messages import message, type_of
from tests.actors.gateway.stand_ins import CATALOGUE, HANDLED, SCAN


def test_a_type_that_is_handled() -> None:
    assert CATALOGUE.find("scanner", "scan") is SCAN


def test_what_is_wrong_is_said_with_a_suggestion() -> None:
    wrong = {pair: CATALOGUE.find(*pair) for pair in [("scaner", "scan"), ("scanner", "scna"), ("zzz", "scan")]}
    assert wrong["scaner", "scan"] == Problem(
        "recipient", "no agent or convoy is called 'scaner'", "did you mean 'scanner'?"
    )
    assert wrong["scanner", "scna"] == Problem("type", "'scanner' handles no type 'scna'", "did you mean 'scan'?")
    assert wrong["zzz", "scan"] == Problem(
        "recipient", "no agent or convoy is called 'zzz'", "there are: broken, checker, reporter, scanner"
    )
    assert CATALOGUE.find("scanner", "zzz") == Problem(
        "type", "'scanner' handles no type 'zzz'", "it handles: moody, scan"
    )


def test_a_type_that_others_handle_names_them() -> None:
    assert CATALOGUE.find("scanner", "report") == Problem("type", "'scanner' does not handle 'report'", "reporter does")
    assert CATALOGUE.find("reporter", "scan") == Problem(
        "type", "'reporter' does not handle 'scan'", "scanner and checker do"
    )


def test_a_recipient_whose_class_does_not_import() -> None:
    found = CATALOGUE.find("broken", "scan")
    assert isinstance(found, Problem)
    assert "No module named 'nowhere'" in found.what


def test_odd_names_are_escaped_and_cut() -> None:
    assert shown("a\x1b[31m\u202e") == r"'a\x1b[31m\u202e'"
    assert len(shown("x" * 1000)) < 70
    found = CATALOGUE.find("\x1b]0;title\x07", "scan")
    assert isinstance(found, Problem)
    assert found.what.isprintable()


def test_types_are_listed_once_with_all_who_handle_them() -> None:
    listed = CATALOGUE.types()
    assert [entry["name"] for entry in listed] == ["moody", "report", "scan"]
    assert listed[2]["handled_by"] == ["scanner", "checker"]
    assert listed[2]["schema"]["required"] == ["path"]


def test_one_name_with_two_meanings_is_listed_twice() -> None:
    @message("scan")
    class Other:
        text: str

    listed = Catalogue({**HANDLED, "other": {"scan": type_of(Other)}}).types()
    meanings = [entry for entry in listed if entry["name"] == "scan"]
    assert sorted(entry["handled_by"] for entry in meanings) == [["other"], ["scanner", "checker"]]
