"""The page as a parser sees it: whole, inert, self-contained; and what happens when it cannot be written."""

import base64
import os
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from anmok.core.errors import AnmokError
from anmok.report import ReportContent, render, write_report
from anmok.report import content as c

from .content import full

VOID = {"meta", "img", "link", "br"}
SECTIONS = ("confusion", "mistakes", "classes", "calibration", "training", "data", "network", "repeat")


class Page(HTMLParser):
    """Tags with their attributes, text, ids; complains about tags that do not close in order."""

    def __init__(self, document):
        super().__init__(convert_charrefs=True)
        self.tags, self.words, self.open, self.mismatched = [], [], [], []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.mismatched.append(tag)

    def handle_data(self, data):
        self.words.append(data)

    def every(self, attribute):
        return [values[attribute] for _, values in self.tags if attribute in values]


def test_every_tag_closes_and_every_link_leads_somewhere():
    page = Page(render(full()))
    assert not page.mismatched and not page.open
    ids = page.every("id")
    assert len(ids) == len(set(ids))
    assert set(SECTIONS) <= set(ids)
    assert {link.removeprefix("#") for link in page.every("href")} <= set(ids)
    assert "cell-0-1" in ids, "the confusion matrix must open on its pictures"


def test_nothing_is_fetched_and_nothing_can_run():
    document = render(full())
    page = Page(document)
    assert all(source.startswith("data:image/") for source in page.every("src"))
    assert all(link.startswith("#") for link in page.every("href"))
    assert not re.findall(r"@import|url\(|https?://", document)
    assert not {"script", "iframe", "object", "embed", "link", "base", "form"} & {tag for tag, _ in page.tags}
    assert not [name for _, values in page.tags for name in values if name.startswith("on")]
    assert "default-src 'none'" in next(v["content"] for _, v in page.tags if "http-equiv" in v)


HOSTILE = [
    "<img src=x onerror=alert(1)>",
    '"><script>alert(1)</script>',
    "' onmouseover='alert(1)",
    "</style></title></table><svg onload=alert(1)>",
    "javascript:alert(1)",
    "&lt;b&gt; {{7*7}} %s {0}",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_names_from_outside_stay_inert(hostile):
    """The same page, tag for tag and attribute for attribute, whatever the classes, paths and sentences are called."""
    shape = [(tag, sorted(values)) for tag, values in Page(render(full())).tags]
    page = Page(render(full((hostile, f"{hostile} 2", "plain"), hostile, hostile, hostile)))
    assert [(tag, sorted(values)) for tag, values in page.tags] == shape
    assert any(hostile in words for words in page.words), "it must still be readable, as text"


def test_control_characters_and_torn_surrogates_do_not_break_the_file(tmp_path):
    path = write_report(tmp_path / "r.html", ReportContent(title="a\x00b\udcffc\u202ed"))
    assert "a�b�c�d" in path.read_text(encoding="utf-8")


def test_spaces_and_joined_letters_survive():
    page = Page(render(ReportContent(title="각 사진\u3000👩‍🔬")))
    assert "각 사진\u3000👩‍🔬" in page.words


@pytest.mark.parametrize("part", [field for field in ReportContent.__dataclass_fields__ if field != "title"])
def test_each_part_stands_alone(part):
    page = Page(render(ReportContent(title="t", **{part: getattr(full(), part)})))
    assert not page.mismatched and not page.open


def test_missing_parts_are_left_out():
    document = render(ReportContent(title="only a title"))
    assert "<section" not in document and "<nav" not in document and 'figures">' not in document


def test_small_pictures_are_crisp_and_large_ones_small():
    large = np.random.default_rng(0).integers(0, 255, (2000, 1500, 3), dtype=np.uint8)
    page = Page(
        render(ReportContent("t", mistakes=[c.Shown(large, "l", "a", 0.5), c.Shown(large[:28, :28], "s", "a", 0.5)]))
    )
    (first, second) = [values for tag, values in page.tags if tag == "img"]
    assert "class" not in first and second["class"] == "crisp"
    assert (int(first["width"]), int(first["height"])) == (270, 360)
    assert len(base64.b64decode(first["src"].split(",")[1])) < 200_000


def test_many_classes_become_a_list_of_confusions():
    counts = np.eye(200, dtype=int) * 50
    counts[3, 17] = 9
    names = [f"class {number}" for number in range(200)]
    document = render(ReportContent("t", confusion=c.Confusion(names, counts)))
    assert 'class="matrix"' not in document and "class 17" in document
    assert len(document) < 60_000


def test_figures_do_not_promise_what_was_rounded():
    document = render(ReportContent("t", figures=[c.Figure("accuracy", 0.99996, 0.9999, 1.0)]))
    assert "99.996" in document and "100.0\u202f%" in document


def test_the_same_content_gives_the_same_bytes(tmp_path):
    first, second = write_report(tmp_path / "a.html", full()), write_report(tmp_path / "b.html", full())
    assert first.read_bytes() == second.read_bytes()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.html", "b.html"]


def test_a_failed_write_leaves_the_old_report(tmp_path, monkeypatch):
    path = write_report(tmp_path / "report.html", ReportContent(title="old"))

    def full_disk(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(AnmokError, match="No space left"):
        write_report(path, full())
    assert "<title>old</title>" in path.read_text(encoding="utf-8")
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(AnmokError, match="nowhere"):
        write_report(tmp_path / "nowhere" / "report.html", ReportContent(title="t"))
