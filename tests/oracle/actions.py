# SPDX-License-Identifier: PostgreSQL
"""What the relations of plugin action_analytics must hold, from action_results and triggers (see recount)."""

import collections
import fractions
import json

from cells import Rounded, Same
from views import finite, instant, mean, optional, percentile

Fraction = fractions.Fraction
HOUR = 3_600_000_000  # microseconds
EARLIEST, LATEST = instant("2000-01-01 00:00:00"), instant("2100-01-01 00:00:00")

SOURCES = {
    "action_results": "id, trigger_id, action_type, status, duration_ms, error_message, response_data, executed_at",
    "triggers": "id, name",
}

text, whole, document = optional(str), optional(int), optional(json.loads)


def executions(tables):
    for row in tables["action_results"]:
        yield {
            "id": whole(row["id"]), "trigger": whole(row["trigger_id"]), "type": text(row["action_type"]),
            "status": text(row["status"]), "duration": whole(row["duration_ms"]), "error": text(row["error_message"]),
            "response": document(row["response_data"]), "at": instant(row["executed_at"]),
        }


def grouped(rows, key):
    groups = collections.defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups.items()


def count_of(rows, *statuses):
    return Same(sum(row["status"] in statuses for row in rows))


def durations(rows):
    known = sorted(row["duration"] for row in rows if row["duration"] is not None)
    return known, {
        "duration_count": Same(len(known)), "total_duration_ms": Same(sum(known)),
        "avg_duration_ms": Rounded(mean(known), 2),
    }


def centiles(known):
    return {f"p{percent}_duration_ms": Rounded(percentile(known, percent) if known else None, 2)
            for percent in (50, 95, 99)}


def timed(rows):
    return [row for row in rows if row["at"] is not None and EARLIEST <= row["at"] < LATEST]


def hourly(tables, _as_of):
    rows = timed(executions(tables))
    for key, group in grouped(rows, lambda row: (row["at"] // HOUR * HOUR, row["type"], row["status"])):
        known, figures = durations(group)
        yield key, figures | centiles(known) | {
            "hour": Same(key[0]), "action_type": Same(key[1]), "status": Same(key[2]),
            "execution_count": Same(len(group)), "success_count": count_of(group, "success"),
            "failure_count": count_of(group, "failed"),
            "min_duration_ms": Same(min(known, default=None)), "max_duration_ms": Same(max(known, default=None)),
            "last_execution_at": Same(max(row["at"] for row in group)),
        }


def triggers(tables, _as_of):
    names = {whole(row["id"]): text(row["name"]) for row in tables["triggers"]}
    for trigger, group in grouped(executions(tables), lambda row: row["trigger"]):
        if trigger is None:
            continue
        known, figures = durations(group)
        times = [row["at"] for row in group if row["at"] is not None]
        successes = sum(row["status"] == "success" for row in group)
        yield (trigger,), figures | centiles(known) | {
            "trigger_id": Same(trigger), "trigger_name": Same(names.get(trigger)), "total_executions": Same(len(group)),
            "success_count": Same(successes), "failure_count": count_of(group, "failed"),
            "retrying_count": count_of(group, "retrying"),
            "success_rate": Rounded(Fraction(100 * successes, len(group)), 2),
            "max_duration_ms": Same(max(known, default=None)),
            "first_execution_at": Same(min(times, default=None)), "last_execution_at": Same(max(times, default=None)),
        }


def failures(tables, as_of):
    for row in executions(tables):
        if row["status"] == "failed" and finite(row["at"]) and row["at"] > as_of - 24 * HOUR:
            yield (row["id"], row["at"]), {
                "id": Same(row["id"]), "executed_at": Same(row["at"]), "trigger_id": Same(row["trigger"]),
                "action_type": Same(row["type"]), "error_message": Same(row["error"]),
                "response_data": Same(row["response"]), "duration_ms": Same(row["duration"]),
            }


def types(tables, as_of):
    recent = [row for row in timed(executions(tables)) if row["at"] // HOUR * HOUR > as_of - 720 * HOUR]
    for name, group in grouped(recent, lambda row: row["type"]):
        _, figures = durations(group)
        successes = sum(row["status"] == "success" for row in group)
        yield (name,), figures | {
            "action_type": Same(name), "total_executions": Same(len(group)),
            "percentage": Rounded(Fraction(100 * len(group), len(recent)), 2),
            "success_count": Same(successes), "failure_count": count_of(group, "failed"),
            "success_rate": Rounded(Fraction(100 * successes, len(group)), 2),
            "last_execution_at": Same(max(row["at"] for row in group)),
        }


AT = {name: instant for name in ("hour", "executed_at", "first_execution_at", "last_execution_at")}
RELATIONS = {
    "action_metrics_hourly": (("hour", "action_type", "status"), AT | {"action_type": text, "status": text}, hourly),
    "trigger_performance_summary": (("trigger_id",), AT | {"trigger_name": text}, triggers),
    "recent_failures": (("id", "executed_at"),
                        AT | {"action_type": text, "error_message": text, "response_data": document}, failures),
    "action_type_distribution": (("action_type",), AT | {"action_type": text}, types),
}
