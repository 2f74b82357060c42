"""Rejects that tests make up."""

from __future__ import annotations

from schemas.rejects import Reject, RejectReason, RejectStage


def reject_of(
    recording_id: str,
    reason: RejectReason,
    message: str = "why",
    *,
    stage: RejectStage = RejectStage.AUDIO,
    position: int | None = None,
) -> Reject:
    return Reject(
        recording_id=recording_id, stage=stage, reason=reason, position=position, message=message
    )
