# SPDX-License-Identifier: PostgreSQL
"""What the relations of plugin training_quality must hold, from both feedback tables (see recount)."""

import collections
import decimal
import fractions
import json
import re

from cells import Rounded, Same, Stamp
from views import instant, mean, optional

Decimal = decimal.Decimal
Fraction = fractions.Fraction
HOUR = 3_600_000_000  # microseconds
LIMIT = 10 ** 12
SHOWN = 50

SOURCES = {
    "agent_feedback": "id, conversation_id, safe_to_send AS safe, to_json(labels) AS labels, annotator, rubric, created_at",
    "AgentFeedback": 'NULL AS id, NULL AS conversation_id, "safeToSend" AS safe, to_json(labels) AS labels, annotator, rubric, "createdAt" AS created_at',
}

exact = lambda text: json.loads(text, parse_float=Decimal, parse_int=Decimal)
text, document = optional(str), optional(exact)


def flat(labels):
    for label in labels or []:
        if isinstance(label, list):
            yield from flat(label)
        elif label is not None:
            yield label


def score_of(value):
    if isinstance(value, Decimal) and abs(value) < LIMIT:
        return Fraction(value)
    if isinstance(value, str) and re.fullmatch(" *[-+]?[0-9]{1,9} *", value):
        return Fraction(int(value))
    return None


def scores_of(rubric):
    if not isinstance(rubric, dict):
        return []
    found = [(name, score_of(value)) for name, value in rubric.items()]
    return [(name, score) for name, score in found if score is not None]


def annotations(tables, source, as_of, hours=168):
    for row in tables[source]:
        at = instant(row["created_at"])
        if at is not None and at > as_of - hours * HOUR:
            yield {
                "safe": {"t": True, "f": False, "\\N": None}[row["safe"]], "labels": set(flat(document(row["labels"]))),
                "has_labels": any(True for _ in every(document(row["labels"]))), "annotator": text(row["annotator"]),
                "scores": scores_of(document(row["rubric"])), "at": at,
            }


def every(labels):
    for label in labels or []:
        if isinstance(label, list):
            yield from every(label)
        else:
            yield label


class Figures:
    """A JSON object of names and numbers; averages rounded to `places`."""

    def __init__(self, expected, places=0):
        self.expected = {name: Rounded(value, places) for name, value in expected.items()}

    def accepts(self, reported, statistics):
        return isinstance(reported, dict) and reported.keys() == self.expected.keys() and all(
            cell.accepts(Fraction(reported[name]), statistics) for name, cell in self.expected.items())

    def __str__(self):
        return str({name: str(cell) for name, cell in self.expected.items()})


def most(counts, rank):
    return sorted(counts, key=lambda name: (-counts[name], rank(name)))[:SHOWN]


def half_away(score):
    whole = (abs(score) + Fraction(1, 2)).__floor__()
    return whole if score >= 0 else -whole


def labels_of(rows):
    counts = collections.Counter(label for row in rows for label in row["labels"])
    return Figures({label: counts[label] for label in most(counts, str.encode)})


def distribution(scores):
    counts = collections.Counter(half_away(score) for score in scores)
    return Figures({str(level): counts[level] for level in most(counts, lambda level: level)})


def dimensions(rows):
    by_name = collections.defaultdict(list)
    for row in rows:
        for name, score in row["scores"]:
            by_name[name].append(score)
    counts = {name: len(scores) for name, scores in by_name.items()}
    return by_name, Figures({name: mean(by_name[name]) for name in most(counts, str.encode)}, 2)


def summed(name, scores):
    return {f"{name}_sum": Same(Fraction(sum(scores))), f"{name}_count": Same(len(scores))}


def snapshot(tables, as_of):
    for source in SOURCES:
        rows = list(annotations(tables, source, as_of))
        day = [row for row in rows if row["at"] > as_of - 24 * HOUR]
        scores = [score for row in rows for _, score in row["scores"]]
        unsafe = sum(row["safe"] is False for row in rows)
        safe = sum(row["safe"] is True for row in rows)
        by_name, averages = dimensions(rows)
        people = lambda some: Same(len({row["annotator"] for row in some} - {None}))
        yield (source,), {
            "source": Same(source), "total_annotations": Same(len(rows)),
            "avg_clarity": Rounded(mean(by_name["clarity"]), 2), "avg_accuracy": Rounded(mean(by_name["accuracy"]), 2),
            "flagged_unsafe": Same(unsafe), "safe_count": Same(safe), "unjudged_count": Same(len(rows) - unsafe - safe),
            "unsafe_rate_pct": Rounded(Fraction(100 * unsafe, unsafe + safe) if unsafe + safe else None, 2),
            "quality_score": Rounded(mean(scores), 2),
            "quality_score_24h": Rounded(mean([score for row in day for _, score in row["scores"]]), 2),
            "dimension_scores": averages, "score_distribution": distribution(scores),
            "label_distribution": labels_of(rows), "annotations_24h": Same(len(day)),
            "active_annotators": people(rows), "active_annotators_24h": people(day),
            "first_annotation_at": Same(min((row["at"] for row in rows), default=None)),
            "last_annotation_at": Same(max((row["at"] for row in rows), default=None)),
            "last_unsafe_at": Same(max((row["at"] for row in rows if row["safe"] is False), default=None)),
            "refreshed_at": Stamp(),
        } | summed("score", scores) | summed("clarity", by_name["clarity"]) | summed("accuracy", by_name["accuracy"])


def activity(tables, as_of):
    for source in SOURCES:
        people = collections.defaultdict(list)
        for row in annotations(tables, source, as_of):
            if row["annotator"] is not None:
                people[row["annotator"]].append(row)
        for name, rows in people.items():
            since = lambda hours: Same(sum(row["at"] > as_of - hours * HOUR for row in rows))
            yield (source, name), {
                "source": Same(source), "annotator": Same(name), "annotations_7d": Same(len(rows)),
                "annotations_24h": since(24), "annotations_1h": since(1),
                "annotations_per_day": Rounded(Fraction(len(rows), 7), 2),
                "flagged_unsafe": Same(sum(row["safe"] is False for row in rows)),
                "labelled_count": Same(sum(row["has_labels"] for row in rows)),
                "first_annotation_at": Same(min(row["at"] for row in rows)),
                "last_annotation_at": Same(max(row["at"] for row in rows)), "refreshed_at": Stamp(),
            }


def is_blank(value):
    return value is None or value.strip(" ") == ""


def is_odd(rubric):
    return not isinstance(rubric, dict) or any(score_of(value) is None for value in rubric.values())


def skipped(tables, day):
    """Numbers between the first and last of the day, and how many of them no row of any time has."""
    numbers = [int(row["id"]) for row in day]
    expected = range(min(numbers), max(numbers) + 1) if numbers else range(0)
    ids = {int(row["id"]) for row in tables["agent_feedback"]}
    return len(expected), sum(number not in ids for number in expected)


def quality(tables, as_of):
    for source in SOURCES:
        rows = [row | {"at": instant(row["created_at"]), "by": text(row["annotator"])} for row in tables[source]]
        day = [row for row in rows if row["at"] > as_of - 24 * HOUR]
        annotated = [row for row in day if not is_blank(row["by"])]
        judged = [row for row in day if row["safe"] != "\\N"]
        unsafe = [row for row in day if row["safe"] == "f"]
        rubrics = [document(row["rubric"]) for row in day if row["rubric"] != "\\N"]
        labelled = lambda row: any(True for _ in every(document(row["labels"])))
        checks = {
            "judgement_missing": ("completeness", len(annotated), sum(row["safe"] == "\\N" for row in annotated)),
            "label_missing": ("completeness", len(unsafe), sum(not labelled(row) for row in unsafe)),
            "time_missing": ("completeness", len(day), 0),
            "rubric_invalid": ("accuracy", len(rubrics), sum(is_odd(rubric) for rubric in rubrics)),
            "time_in_future": ("accuracy", len(day), sum(row["at"] > as_of + HOUR // 60 for row in day)),
            "annotator_missing": ("audit", len(judged), sum(is_blank(row["by"]) for row in judged)),
            "kept_too_long": ("retention", None, sum(row["at"] < as_of - 90 * 24 * HOUR for row in rows)),
        }
        if source == "agent_feedback":
            talks = collections.Counter(
                (row["conversation_id"], row["by"], row["at"]) for row in day
                if not is_blank(text(row["conversation_id"])))
            checks |= {
                "conversation_missing": ("completeness", len(day),
                                         sum(is_blank(text(row["conversation_id"])) for row in day)),
                "missing_events": ("consistency", *skipped(tables, day)),
                "duplicate_events": ("consistency", len(day), sum(count - 1 for count in talks.values())),
            }
        for name, (dimension, checked, failed) in checks.items():
            yield (source, name), {
                "source": Same(source), "check_name": Same(name), "dimension": Same(dimension),
                "checked_count": Same(checked), "failed_count": Same(failed),
                "failed_pct": Rounded(Fraction(100 * failed, checked) if checked else None, 2),
                "status": Same("failed" if failed else "ok"), "refreshed_at": Stamp(),
            }


AT = {name: instant for name in ("first_annotation_at", "last_annotation_at", "last_unsafe_at", "refreshed_at")}
RELATIONS = {
    "mv_training_quality_snapshot": (
        ("source",), AT | {"source": text, "dimension_scores": document, "score_distribution": document,
                           "label_distribution": document}, snapshot),
    "mv_agent_feedback_quality": (
        ("source", "check_name"), AT | {"source": text, "check_name": text, "dimension": text, "status": text}, quality),
    "mv_annotator_activity": (("source", "annotator"), AT | {"source": text, "annotator": text}, activity),
}
