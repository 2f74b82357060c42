import dataclasses
import json
import pickle
from pathlib import Path

import pytest

from schemas.reject_codes import reject_codes_page
from schemas.reject_reasons import Loss
from schemas.rejects import OtherReason, Reject, RejectReason, RejectStage, reason_of, rejects_table
from tests.support.rejects import reject_of

PAGE = Path(__file__).parents[2] / "docs/reject-codes.md"


def test_the_page_of_codes_is_current() -> None:
    """`python -m schemas.reject_codes >docs/reject-codes.md` makes it so."""
    assert PAGE.read_text(encoding="utf-8") == reject_codes_page()


@pytest.mark.parametrize("reason", RejectReason)
def test_every_code_is_explained_on_one_line(reason: RejectReason) -> None:
    assert reason.name == reason.value.upper()
    for text in (reason.explanation, reason.remedy):
        assert text.endswith(".")
        assert text.isprintable()
        assert "|" not in text
    assert f"| `{reason}` | {reason.explanation} | {reason.remedy} |\n" in reject_codes_page()


@pytest.mark.parametrize("stage", [RejectStage.AUDIO, RejectStage.LABELS, RejectStage.METADATA])
@pytest.mark.parametrize(
    "reason", ["missing", "no_permission", "is_folder", "not_a_file", "unreadable"]
)
def test_whatever_storage_says_of_a_file_has_a_code(stage: RejectStage, reason: str) -> None:
    assert RejectReason.of_file(stage, reason) == f"{stage}_{reason}"


def test_nothing_but_a_known_code_is_made() -> None:
    with pytest.raises(TypeError, match="reason='audio_odd' must be one of RejectReason"):
        Reject(
            recording_id="1",
            stage=RejectStage.AUDIO,
            reason="audio_odd",  # type: ignore[arg-type]
            message="why",
        )


@pytest.mark.parametrize("code", ["audio_empty", "a_code_of_another_version"])
def test_any_code_is_read(code: str) -> None:
    values = {"recording_id": "1", "stage": "audio", "reason": code, "position": None,
              "message": "why"}  # fmt: skip
    reject = Reject.from_dict(values)
    assert isinstance(reject.reason, RejectReason if code == "audio_empty" else OtherReason)
    assert json.loads(json.dumps(dataclasses.asdict(reject))) == values
    assert rejects_table([reject]).to_pylist() == [values]
    assert pickle.loads(pickle.dumps(reject)) == reject


def test_a_reason_by_which_nothing_is_lost_is_a_notice() -> None:
    assert not RejectReason.AUDIO_EMPTY.is_notice
    assert RejectReason.METADATA_MISSING.is_notice
    assert not reason_of("a_code_of_another_version").is_notice
    assert {reason.loss for reason in RejectReason} == set(Loss)


def test_a_message_is_one_short_line() -> None:
    reason = RejectReason.LABELS_MALFORMED
    assert reject_of("1", reason, "two\nlines" + "x" * 999).message.startswith("two\\nl")
    assert len(reject_of("1", reason, "x" * 999).message) == 500
