from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from pipelines.report.page import WINDOWS, dataset_page, introduction
from pipelines.summary import summarize
from schemas import Dataset, FeatureConfig
from schemas.errors import UnreadableFileError
from schemas.tables import RECORDINGS, RECORDINGS_FILE, table_bytes
from tests.support.damage import damaged_copy
from tests.support.tiny_musicnet import CONFIG

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def html(tiny_dataset: Path) -> str:
    return dataset_page(Dataset(tiny_dataset)).html.decode()


def made_again(root: Path, folder: Path, features: tuple[str, ...]) -> Dataset:
    """A dataset of the same recordings with other features."""
    from pipelines.planning.plan import PlanOptions
    from pipelines.preprocessing import PreprocessOptions, preprocess

    plan = PlanOptions(features=dataclasses.replace(CONFIG, features=features))
    preprocess(PreprocessOptions(input_root=str(root), output=str(folder), plan=plan))
    return Dataset(folder)


def row_of(html: str, caption: str, name: str) -> list[str]:
    """The cells of a row of a table."""
    table = html.partition(f"<caption>{caption}</caption>")[2].partition("</table>")[0]
    row = table.partition(f'<th scope="row">{name}</th>')[2].partition("</tr>")[0]
    return re.findall(r"<td[^>]*>(.*?)</td>", row)


def test_the_same_dataset_gives_the_same_page_wherever_it_is(
    html: str, tiny_dataset: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(tiny_dataset, tmp_path / "elsewhere" / tiny_dataset.name)
    assert dataset_page(Dataset(copy)).html.decode() == html


def test_every_window_shown_has_a_picture_and_a_player(html: str, tiny_dataset: Path) -> None:
    splits = Dataset(tiny_dataset).manifest.splits
    shown = min(WINDOWS, sum(split.windows for split in splits.values()))
    assert html.count("<article>") == html.count("<audio ") == shown
    assert html.count("Mel spectrogram above the piano roll of the notes of recording") == shown
    for split in splits:
        assert f"({split})</h3>" in html


def test_figures_are_those_of_the_windows(html: str, tiny_dataset: Path) -> None:
    dataset = Dataset(tiny_dataset)
    summary = summarize(dataset)
    for split, figures in summary.splits.items():
        sounding = frames = 0
        levels = []
        for position in range(figures.windows):
            window = dataset.window(split, position)
            valid = slice(window.valid_frames)
            frames += window.valid_frames
            sounding += int(window.features["notes"][valid].sum())
            levels.append(window.features["log_mel"][valid].ravel())
        size = row_of(html, "Size of the splits", split)
        assert size[:4] == [
            f"{each:,}"
            for each in (figures.recordings, figures.works, figures.windows, figures.notes)
        ]
        notes = row_of(html, "Notes that sound in the windows", split)
        assert notes[4] == f"{sounding / frames:.2f}"
        median = row_of(html, "Levels of the mel bins, silence and clipping", split)[1]
        assert abs(float(median) - np.median(np.concatenate(levels))) <= 1
    work = '<th scope="row">Composer: A</th>'
    assert work in html.partition("Works in more than one split")[2]


def test_titles_of_recordings_are_text(tiny_dataset: Path, tmp_path: Path) -> None:
    root = shutil.copytree(tiny_dataset, tmp_path / "dataset")
    rows = Dataset(root).recordings().to_pylist()
    for row in rows:
        row |= {"composer": HOSTILE, "movement": HOSTILE}
    table = pa.Table.from_pylist(rows, RECORDINGS)
    (root / RECORDINGS_FILE).write_bytes(table_bytes(table))
    html = dataset_page(Dataset(root)).html.decode()
    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 2 * WINDOWS


def test_windows_that_overlap_are_said_to(tiny_dataset: Path) -> None:
    summary = summarize(Dataset(tiny_dataset))
    closer = dataclasses.replace(summary, config={**summary.config, "stride_frames": 24})
    assert "Windows overlap" in introduction(closer)
    assert "Windows overlap" not in introduction(summary)


def test_damage_is_counted_and_the_rest_is_shown(tiny_dataset: Path, tmp_path: Path) -> None:
    dataset, shard, _ = damaged_copy(
        tiny_dataset, tmp_path / "dataset", shard=0, window=0, feature="log_mel"
    )
    page = dataset_page(dataset)
    assert page.damaged == 1
    assert "1 damaged windows are left out" in page.html.decode()
    dataset.storage.local_path(shard).unlink()
    with pytest.raises(UnreadableFileError, match=re.escape(shard)):
        dataset_page(dataset)


def test_without_a_waveform_the_spectrogram_sounds_or_the_page_says_why_not(
    tiny_root: Path, tmp_path: Path
) -> None:
    dataset = made_again(tiny_root, tmp_path / "dataset", ("log_mel",))
    silent = dataset_page(dataset).html.decode()
    assert "<audio" not in silent
    assert "there is no waveform, and what makes sound of a spectrogram is not installed" in silent
    assert "make the dataset again with the feature waveform" in silent
    heard = []

    def invert(log_mel: NDArray[Any], config: FeatureConfig) -> NDArray[Any]:
        heard.append(log_mel.shape)
        return np.zeros(4_000, np.float32)

    html = dataset_page(dataset, invert=invert).html.decode()
    assert len(heard) == html.count("<audio ") == html.count("<article>")
    assert {frames <= CONFIG.window_frames for frames, _ in heard} == {True}
    assert "The sound is made from the spectrograms" in html


@pytest.mark.parametrize("features", [("waveform",), ("notes",)])
def test_any_feature_alone_makes_a_page(
    features: tuple[str, ...], tiny_root: Path, tmp_path: Path
) -> None:
    html = dataset_page(made_again(tiny_root, tmp_path / "dataset", features)).html.decode()
    assert ("<audio" in html) == (features == ("waveform",))
    assert ("<h2>Notes</h2>" in html) == (features == ("notes",))
    assert row_of(html, "Levels of the mel bins, silence and clipping", "train")[1] == "unknown"
