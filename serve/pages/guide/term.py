"""Terms that pages explain: a short explanation, and a link to the glossary of the guide."""

from __future__ import annotations

from html import escape

from serve.pages.language.translation import gettext as _
from serve.pages.language.translation import mark

# Each term has the anchor of its heading in docs/glossary.md, its name, and its explanation.
TERMS = {
    "accuracy": (mark("accuracy"), mark("The share of answers that are right.")),
    "asked": (mark("asked for"), mark("Inputs that a client has sent, rather than a file.")),
    "backlog": (mark("backlog"), mark("Records that have no fresh value yet.")),
    "drift": (
        mark("drift"),
        mark("How far recent predictions differ from those in training."),
    ),
    "enricher": (
        mark("enricher"),
        mark("A function that adds a value to each record, such as its language."),
    ),
    "fresh": (
        mark("fresh"),
        mark("Made by the current version of its enricher, from current values."),
    ),
    "gate": (
        mark("gate"),
        mark("Decides whether this machine is idle, so that a worker may work."),
    ),
    "guessing": (
        mark("guessing"),
        mark("Always answering the most frequent label, or the mean."),
    ),
    "label": (mark("label"), mark("The right answer of a record, as a file or a person says it.")),
    "label-issue": (mark("label issue"), mark("A label that is probably wrong.")),
    "macro-f1": (
        mark("macro-F1"),
        mark("The mean over all labels of a score of precision and recall."),
    ),
    "mean-error": (mark("mean error"), mark("By how much a number is off, on average.")),
    "out-of-fold": (
        mark("out of fold"),
        mark("Measured on records that the model did not learn from."),
    ),
    "outcome": (
        mark("outcome"),
        mark("A label that came after an answer had been served, beside that answer."),
    ),
    "p95": (mark("p95"), mark("95 of 100 requests took at most this time.")),
    "psi": (
        mark("PSI"),
        mark("A measure of drift: below 0.1 all is well, from 0.25 on much has changed."),
    ),
    "quarantine": (
        mark("quarantine"),
        mark("Records that an enricher could not process; the others go on without them."),
    ),
    "record": (mark("record"), mark("One distinct set of inputs, however many rows have it.")),
    "stale": (mark("stale"), mark("Not enriched yet, or by an older version.")),
    "student": (
        mark("student"),
        mark("The small model that answers at once, in the web process."),
    ),
    "suspended": (
        mark("suspended"),
        mark("Stopped in the middle of its work, since the machine is busy."),
    ),
    "teacher": (
        mark("teacher"),
        mark("The accurate model, whose answers workers compute and store."),
    ),
    "turned-away": (
        mark("turned away"),
        mark("Answered with 503, since the request had waited too long."),
    ),
    "uncertain": (
        mark("uncertain"),
        mark("Predicted with a probability below 75 %."),
    ),
    "worker": (mark("worker"), mark("A process that enriches records while its machine is idle.")),
}


def term(name: str, text: str = "") -> str:
    """Return a term as HTML: a link to its explanation, with a short one as its title.

    `text` is shown instead of the term itself, in another form or with a capital letter.
    """
    shown, explanation = TERMS[name]
    title = escape(_(explanation), quote=True)
    words = escape(text or _(shown))
    return f'<a class="term" href="/guide/glossary#{name}" title="{title}">{words}</a>'
