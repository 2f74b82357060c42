import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import PipelineError
from pipelines.planning.splits import (
    TEST_SHARE,
    VALIDATION_SHARE,
    assigned_splits,
    folder_of,
    read_splits,
    split_recordings,
    works_in_several_splits,
)
from schemas.works import has_work, work_of


def row(recording_id: str, work: str, seconds: int) -> dict[str, Any]:
    return {
        "recording_id": recording_id,
        "composer": "C" if work else None,
        "composition": work or None,
        "samples": seconds * 100,
        "sample_rate": 100,
    }


corpora = st.lists(
    st.tuples(st.sampled_from(["", "A", "B", "C", "D"]), st.integers(1, 600), st.booleans()),
    min_size=1,
    max_size=30,
).map(
    lambda each: [
        (row(str(number), work, seconds), "test" if test else "train")
        for number, (work, seconds, test) in enumerate(each)
    ]
)


@given(corpus=corpora, seed=st.integers(0, 100))
def test_works_stay_together_and_test_stays_test(corpus: list[Any], seed: int) -> None:
    splits = split_recordings(corpus, seed=seed)
    assert set(splits) == {each["recording_id"] for each, _ in corpus}
    assert all(
        (splits[each["recording_id"]] == "test") == (group == "test") for each, group in corpus
    )
    of_work: dict[tuple[Any, ...], set[str]] = {}
    for each, group in corpus:
        if group == "train":
            of_work.setdefault(work_of(each), set()).add(splits[each["recording_id"]])
    assert all(len(found) == 1 for found in of_work.values())
    assert not of_work or {"train"} in of_work.values(), "nothing is left to train on"
    if len(of_work) > 1:
        seconds = {"train": 0.0, "validation": 0.0, "test": 0.0}
        for each, _ in corpus:
            seconds[splits[each["recording_id"]]] += each["samples"] / each["sample_rate"]
        share = seconds["validation"] / (seconds["train"] + seconds["validation"])
        trained_works = sum(found == {"train"} for found in of_work.values())
        assert share >= VALIDATION_SHARE - 1e-9 or trained_works == 1


@given(corpus=corpora, seed=st.integers(0, 100))
def test_the_order_of_arrival_means_nothing(corpus: list[Any], seed: int) -> None:
    assert split_recordings(corpus, seed=seed) == split_recordings(corpus[::-1], seed=seed)


def test_the_seed_chooses_the_works() -> None:
    corpus = [(row(str(number), f"work {number}", 60), "train") for number in range(30)]
    chosen = {tuple(sorted(split_recordings(corpus, seed=seed).items())) for seed in range(5)}
    assert len(chosen) == 5


def test_a_recording_without_metadata_is_a_work_of_its_own() -> None:
    assert work_of(row("7", "", 1)) == ("7",)
    assert work_of(row("7", "A", 1)) == ("C", "A")


@given(corpus=corpora, seed=st.integers(0, 100))
def test_work_disjoint_splits_share_no_work(corpus: list[Any], seed: int) -> None:
    corpus = [(each, group) for each, group in corpus if has_work(each)]
    splits = split_recordings(corpus, seed=seed, test_split="work-disjoint")
    rows = [{**each, "split": splits[each["recording_id"]]} for each, _ in corpus]
    assert works_in_several_splits(rows) == []
    test_works = {work_of(each) for each, group in corpus if group == "test"}
    for each, _ in corpus:
        assert (splits[each["recording_id"]] == "test") == (work_of(each) in test_works)


@pytest.mark.parametrize("lacks", [0, 1])
@pytest.mark.parametrize("column", ["composer", "composition"])
def test_works_that_are_unknown_cannot_be_kept_apart(lacks: int, column: str) -> None:
    """Neither the test recordings' nor the others'."""
    corpus = [
        (row("1", "A", 60), "train"),
        (row("2", "B", 60), "test"),
        (row("3", "C", 9), "train"),
    ]
    corpus[lacks][0][column] = " "
    name = corpus[lacks][0]["recording_id"]
    told = (
        r"^musicnet_metadata\.csv: test_split='work-disjoint' needs .* is unknown of 1 of 3, the "
        rf"first of them '{name}'; complete the metadata, assign splits of your own, or use "
        r"test_split='musicnet'$"
    )
    with pytest.raises(PipelineError, match=told):
        split_recordings(corpus, seed=0, test_split="work-disjoint")
    assert set(split_recordings(corpus, seed=0)) == {"1", "2", "3"}


@pytest.mark.parametrize("group", ["train", "test"])
def test_where_there_is_only_one_side_nothing_can_be_shared(group: str) -> None:
    corpus = [(row("1", "", 60), group), (row("2", "A", 60), group)]
    split_recordings(corpus, seed=0, test_split="work-disjoint")


def test_a_work_is_one_whatever_its_unicode_form() -> None:
    forms = [unicodedata.normalize(form, "Dvo\u0159\u00e1k ") for form in ("NFC", "NFD")]
    works = {work_of({**row("1", "A", 1), "composer": form}) for form in forms}
    assert len(works) == 1
    assert not has_work({**row("1", "A", 1), "composer": " "})


def test_shared_works_are_reported_with_their_recordings() -> None:
    placed = [("1", "A", "train"), ("2", "A", "test"), ("3", "B", "train"), ("4", "A", "train"),
              ("5", "A", None), ("6", "", "test")]  # fmt: skip
    rows = [{**row(name, work, 1), "split": split} for name, work, split in placed]
    assert works_in_several_splits(rows) == [
        {"work": "C: A", "train": ["1", "4"], "test": ["2"]},
    ]


def test_splits_of_ones_own_are_read(tmp_path: Path) -> None:
    path = tmp_path / "splits.csv"
    path.write_text('note,id,split\nx,"a,b",train\n,7,test\n', encoding="utf-8-sig")
    assigned = read_splits(str(path))
    assert assigned == {"a,b": "train", "7": "test"}
    assert assigned_splits(["7"], assigned) == {"7": "test"}
    assert assigned_splits(["A,B"], assigned) == {"A,B": "train"}
    with pytest.raises(PipelineError, match="recording 'A' is in two splits"):
        assigned_splits([], {"a": "train", "A": "test"})
    with pytest.raises(PipelineError, match=r"has no row for 1 of 2 recordings.*'8'"):
        assigned_splits(["7", "8"], assigned)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id\n7\n", "must have the columns id and split"),
        ("", "must have the columns id and split"),
        ("id,split\n7,training\n", "line 2: '7', 'training': must be .* train, validation, test"),
        ("id,split\n7\n", "line 2: '7', None"),
        ("id,split\n,train\n", "line 2: ''"),
        ("id,split\n7,train\n7,test\n", "line 3: recording '7' is in two splits"),
        ("id,split\na,train\nA,test\n", "line 3: recording 'A' is in two splits"),
        ("id,split\n\xff".encode("latin-1"), "is not UTF-8 text from byte 9 on"),
    ],
)
def test_splits_that_cannot_be_meant_are_rejected(
    text: str | bytes, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "splits.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(PipelineError, match=rf"splits\.csv: {told}"):
        read_splits(str(path))


folders = st.lists(
    st.tuples(st.sampled_from(["", "a", "b", "a/c", "d"]), st.integers(1, 600)),
    min_size=1,
    max_size=30,
).map(
    lambda each: [
        ({**row(str(number), "", seconds), "path": f"{folder}/{number}.mp3".lstrip("/")}, "")
        for number, (folder, seconds) in enumerate(each)
    ]
)


@given(corpus=folders, seed=st.integers(0, 100), works=st.sampled_from(["metadata", "folders"]))
def test_test_is_drawn_where_the_input_has_none(corpus: list[Any], seed: int, works: str) -> None:
    splits = split_recordings(corpus, seed=seed, works=works)
    key = folder_of if works == "folders" else work_of
    assert set(splits) == {each["recording_id"] for each, _ in corpus}
    of_work: dict[Any, set[str]] = {}
    seconds = {"train": 0.0, "validation": 0.0, "test": 0.0}
    for each, _ in corpus:
        of_work.setdefault(key(each), set()).add(splits[each["recording_id"]])
        seconds[splits[each["recording_id"]]] += each["samples"] / each["sample_rate"]
    assert all(len(found) == 1 for found in of_work.values())
    expected = {1: {"train"}, 2: {"train", "validation"}}.get(len(of_work), set(seconds))
    assert set(splits.values()) == expected
    trained_works = sum(found == {"train"} for found in of_work.values())
    assert seconds["test"] >= TEST_SHARE * sum(seconds.values()) - 1e-9 or trained_works == 1
    assert split_recordings(corpus[::-1], seed=seed, works=works) == splits
