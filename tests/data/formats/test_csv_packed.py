"""Tables with a whole picture in one cell, as FER2013 has them."""

import gzip

import numpy as np
import pytest

from anmok.core.errors import DataError
from anmok.data.load import load_data

USAGE = ["Training"] * 6 + ["PublicTest"] * 2 + ["PrivateTest"] * 2
EMOTIONS = [0, 1, 2, 3, 4, 5, 6, 0, 1, 6]


def pictures(side=8, n=10, channels=1):
    return np.random.default_rng(3).integers(0, 256, (n, side, side, channels), dtype=np.uint8)


def lines(array, header="emotion,pixels,Usage"):
    packed = [" ".join(map(str, one.ravel())) for one in array]
    return [header, *(f"{e},{p},{u}" for e, p, u in zip(EMOTIONS, packed, USAGE, strict=True))]


def pixels(dataset):
    return np.stack([dataset.pictures.read(entry.locator) for entry in dataset.entries])


@pytest.mark.parametrize("name", ["fer2013.csv", "fer2013.csv.gz"])
@pytest.mark.parametrize("header", ["emotion,pixels,Usage", "emotion, pixels, Usage"])
def test_fer2013(name, header, tmp_path):
    array, text = pictures(), "\r\n".join
    content = text([*lines(array, header), ""]).encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    for place in (tmp_path, tmp_path / name):
        dataset = load_data(place)
        assert dataset.format == "csv_pixels" and (pixels(dataset) == array).all()
        assert dataset.splits == {"train": 6, "val": 2, "test": 2}
        # The order of emotions: Goodfellow et al. 2013, and the data set's own page.
        assert dataset.classes == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
        assert [entry.target for entry in dataset.entries] == EMOTIONS
        assert dataset.entries[0].id == f"{name}:2" and not dataset.quarantined
        assert dataset.accounts()["rows"] == {"seen": 10, "used": 10, "quarantined": 0, "skipped": 0}


def test_bad_cells_cost_their_rows(tmp_path):
    array = pictures()
    rows = lines(array)
    first, rest = rows[2].split(" ", 1)
    label = first.split(",")[0]
    rows[2] = f"{label},256 {rest}"
    rows[3] = rows[3].replace(" ", " x ", 1)
    rows[4] = rows[4].replace(" ", ".5 ", 1)
    rows[5] = rows[5].rpartition(" ")[0] + ",Training"
    rows[6] = ",".join(["", *rows[6].split(",")[1:]])
    rows[8] = rows[8].replace("PublicTest", "sometimes")
    rows[9] = rows[9] + ",more"
    rows.insert(8, "")
    (tmp_path / "data.csv").write_text("\n".join(rows) + "\n")
    dataset = load_data(tmp_path)
    reasons = {item.line: item.reason for item in dataset.quarantined}
    assert set(reasons) == {3, 4, 5, 6, 7, 10, 11}, reasons
    for line, words in {3: "256", 4: "65 numbers where a picture has 64", 5: "fit", 6: "63 numbers", 7: "label",
                        10: "'sometimes'", 11: "4 cells"}.items():  # fmt: skip
        assert words in reasons[line], (line, reasons[line])
    assert [entry.id for entry in dataset.entries] == ["data.csv:2", "data.csv:8", "data.csv:12"]
    assert (pixels(dataset) == array[[0, 6, 9]]).all()
    assert dataset.account() == {"seen": 11, "used": 3, "quarantined": 7, "skipped": 1}


@pytest.mark.parametrize("channels", [1, 3])
def test_colour_fractions_and_no_labels(channels, tmp_path):
    array = pictures(channels=channels)
    text = "\n".join(
        ["id,image", *(f"{i},{' '.join(f'{v / 255:.6f}' for v in a.ravel())}" for i, a in enumerate(array))]
    )
    (tmp_path / "data.csv").write_text(text)
    dataset = load_data(tmp_path)
    assert (pixels(dataset) == array).all() and dataset.classes == ()


def test_a_shape_that_is_no_square(tmp_path):
    array = pictures().reshape(10, 4, 16, 1)
    (tmp_path / "data.csv").write_text("\n".join(lines(array)))
    assert (pixels(load_data(tmp_path, shape=(4, 16, 1))) == array).all()
    (tmp_path / "data.csv").write_text("\n".join(lines(array[:, :, :10])))
    with pytest.raises(DataError):
        load_data(tmp_path)


def test_captions_are_no_pictures(tmp_path):
    (tmp_path / "data.csv").write_text("id,text\n" + "\n".join(f"{i},{'2 dogs ' * 40}" for i in range(6)))
    with pytest.raises(DataError, match="not recognised"):
        load_data(tmp_path)
