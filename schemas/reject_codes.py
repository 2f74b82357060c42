"""The page of all reject codes: `python -m schemas.reject_codes >docs/reject-codes.md`."""

from __future__ import annotations

from schemas.reject_reasons import Loss, RejectReason

_INTRODUCTION = """\
# Reject codes

A run that meets bad input goes on without it. Each row of a dataset's `rejects.parquet` says what
was rejected or noticed, with one of these codes as its `reason`; `duet rejects` lists them.
This page is generated: `python -m schemas.reject_codes >docs/reject-codes.md`.
"""

_SECTIONS = {
    Loss.RECORDING: """\
## Recordings

The recording is left out, and counts toward `--max-rejects`, with two exceptions. If the label file
cannot be read or parsed, and the features include neither notes nor onsets, the recording stays in
the dataset without labels. If the audio file can no longer be read when its windows are cut, only
these windows are left out.
""",
    Loss.WINDOW: "## Windows\n\nThe window is left out, and the rest of the recording is kept.\n",
    Loss.NOTE: "## Notes\n\nThe note is left out, and everything else is kept.\n",
    Loss.NOTHING: "## Notices\n\nNothing is left out, but you may want to know.\n",
}


def reject_codes_page() -> str:
    """The page, in Markdown."""
    parts = [_INTRODUCTION]
    for loss, text in _SECTIONS.items():
        rows = [
            f"| `{reason}` | {reason.explanation} | {reason.remedy} |"
            for reason in RejectReason
            if reason.loss is loss
        ]
        parts.append("\n".join([text, "| Code | Meaning | Remedy |", "|---|---|---|", *rows, ""]))
    return "\n".join(parts)


if __name__ == "__main__":
    print(reject_codes_page(), end="")
