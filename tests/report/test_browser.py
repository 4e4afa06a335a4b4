"""The page in Chromium: nothing overflows on a phone, a cell opens its pictures, dark is dark, all pictures load."""

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from anmok.report import render

from .content import full

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium was found on PATH: apt-get install chromium")

LONG = ("Kraftfahrzeughaftpflichtversicherung" * 2, "고양이가 창가에서 햇볕을 쬐고 있는 사진들", "c")

MEASURE = """
<iframe id=page style="border:0;width:{width}px;height:900px" srcdoc="{page}"></iframe><pre id=found></pre><script>
page.onload = async () => {{
  const inside = page.contentDocument, root = inside.documentElement;
  const images = [...inside.images]; images.forEach(i => i.loading = 'eager');
  await Promise.all(images.map(i => i.decode().catch(() => 0)));
  const panel = inside.getElementById('cell-0-1');
  const closed = page.contentWindow.getComputedStyle(panel).display;
  page.contentWindow.location.hash = '#cell-0-1';
  await new Promise(done => setTimeout(done, 300));
  found.textContent = JSON.stringify({{
    wide: root.scrollWidth, view: root.clientWidth, dead: images.filter(i => !i.naturalWidth).length,
    images: images.length, closed, opened: page.contentWindow.getComputedStyle(panel).display,
    tall: root.scrollHeight, title: inside.title, font: page.contentWindow.getComputedStyle(inside.body).fontSize}});
}};
</script>"""


def chromium(tmp_path, *flags):
    """Run it without a profile of anybody's, and without a word to the network."""
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
        "--disable-sync", "--disable-background-networking", "--disable-component-update",
        f"--user-data-dir={tmp_path / 'profile'}", *flags,
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.mark.parametrize("width", [360, 390, 1280])
def test_it_fits_every_width_and_opens_on_its_pictures(tmp_path, width):
    wrapper = tmp_path / "wrapper.html"
    wrapper.write_text(
        MEASURE.format(width=width, page=html.escape(render(full(LONG, path="x" * 150 + "/y.jpg")), quote=True)),
        encoding="utf-8",
    )
    told = ""
    for _ in range(4):  # on a busy machine the virtual time is over before the pictures are decoded
        seen = chromium(tmp_path, "--dump-dom", "--virtual-time-budget=20000", wrapper.as_uri())
        told = html.unescape(seen.split('<pre id="found">')[1].split("</pre>")[0])
        if told:
            break
    found = json.loads(told)
    assert found["title"] == "a sentence"
    assert found["wide"] <= found["view"] <= width, found
    assert found["images"] > 8 and found["dead"] == 0, found
    assert (found["closed"], found["opened"]) == ("none", "block")


@pytest.mark.parametrize(("scheme", "bright"), [(0, False), (1, True)])
def test_light_and_dark(tmp_path, scheme, bright):
    page, shot = tmp_path / "report.html", tmp_path / "shot.png"
    page.write_text(render(full()), encoding="utf-8")
    preferred = f"--blink-settings=preferredColorScheme={scheme}"
    chromium(tmp_path, preferred, f"--screenshot={shot}", "--window-size=900,1400", page.as_uri())
    with Image.open(shot) as opened:
        pixels = np.asarray(opened.convert("L"), dtype=float)
    background, ink = np.median(pixels), pixels.min() if bright else pixels.max()
    assert (background > 240) if bright else (background < 40)
    assert abs(background - ink) > 180, "text must stand out"


def test_it_prints_without_links_and_panels(tmp_path):
    page, paper = tmp_path / "report.html", tmp_path / "report.pdf"
    page.write_text(render(full()), encoding="utf-8")
    chromium(tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={paper}", page.as_uri())
    data = paper.read_bytes()
    assert data.startswith(b"%PDF") and 2 <= len(re.findall(rb"/Type /Page\b", data)) <= 8
    assert b"/Dest /cell-0-1" in data and b"/Dest /calibration" not in data, "paper needs no contents to click on"
