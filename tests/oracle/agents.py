#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Computes the relations of agent_performance, query_performance and approval_queue by itself, and compares.

As views.py, whose way of reading and comparing it uses: exact fractions, instants as whole microseconds since the epoch,
nothing of the plugins' SQL. Input is CSV made by compare_agents.

Exit: 0 all equal, 1 a difference (each is printed), 2 wrong usage or input.
"""

import argparse
import collections
import datetime
import decimal
import fractions
import sys
import traceback

import views
from cells import Rounded, Same, Stamp
from views import DAY, LIMIT, finite, instant, mean, optional, percentile, rows_of

Decimal = decimal.Decimal
Fraction = fractions.Fraction

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
text = optional(str)


def usable(cell):
    """A number that counts, else None: unknown, infinite, not a number, or beyond the limit."""
    if cell == "\\N":
        return None
    value = Decimal(cell)
    return Fraction(value) if value.is_finite() and abs(value) < LIMIT else None


def is_bad(cell):
    return cell != "\\N" and usable(cell) is None


def after(at, limit):
    return at is not None and at > limit


Query = collections.namedtuple("Query", "id agent query latency given bad conversation at")
Call = collections.namedtuple("Call", "agent latency bad at")
Approval = collections.namedtuple(
    "Approval", "id conversation status priority confidence given bad by at updated reviewed")


def read_queries(path):
    for row in rows_of(path):
        yield Query(int(row["id"]), text(row["agent"]), text(row["query"]), usable(row["latency_ms"]), row["latency_ms"],
                    is_bad(row["latency_ms"]), text(row["conversation_id"]), instant(row["created_at"]))


def read_calls(path):
    for row in rows_of(path):
        yield Call(text(row["agent"]), usable(row["latencyMs"]), is_bad(row["latencyMs"]), instant(row["createdAt"]))


def read_approvals(path):
    for row in rows_of(path):
        yield Approval(int(row["id"]), text(row["conversation_id"]), text(row["status"]), text(row["priority"]),
                       usable(row["confidence_score"]), row["confidence_score"], is_bad(row["confidence_score"]),
                       text(row["approved_by"]), instant(row["created_at"]), instant(row["updated_at"]),
                       instant(row["reviewed_at"]))


def grouped(rows, key):
    groups = collections.defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups


def latencies(rows):
    return [row.latency for row in rows if row.latency is not None]


# --- agents -----------------------------------------------------------------------------------------------------------

def health(average):
    if average is None:
        return "healthy"
    return "degraded" if average > 200 else "warning" if average > 100 else "healthy"


def agents(queries, now):
    hour = [query for query in queries if query.agent is not None and after(query.at, now - HOUR)]
    for agent, rows in grouped(hour, lambda query: query.agent).items():
        minute = [row for row in rows if row.at > now - MINUTE]
        five = [row for row in rows if row.at > now - 5 * MINUTE]
        state = health(mean(latencies(minute)))
        yield (agent,), {
            "agent": Same(agent), "queries_last_minute": Same(len(minute)), "queries_last_5min": Same(len(five)),
            "queries_last_hour": Same(len(rows)), "avg_latency_1min": Rounded(mean(latencies(minute)), 2),
            "avg_latency_5min": Rounded(mean(latencies(five)), 2),
            "max_latency_5min": Same(max(latencies(five), default=None)),
            "current_health_status": Same(state), "health_status": Same(state),
            "last_updated_at": Stamp(), "refreshed_at": Stamp(),
        }


# --- tier 3: percentiles, averages, a forecast, load ------------------------------------------------------------------

def bucket(at):
    """Where its five seconds begin; 2000-01-01 is a multiple of them, as is the epoch."""
    return at - at % (5 * SECOND)


def bucketed(queries, now):
    """What mv_agent_query_buckets holds: from the bucket through which the hour begins to the running one."""
    first, last = bucket(now - HOUR), bucket(now)
    return [row for row in queries if row.agent is not None and finite(row.at) and first <= bucket(row.at) <= last]


def latency_percentiles(queries, now):
    hour = [row for row in queries if row.agent is not None and row.latency is not None and after(row.at, now - HOUR)]
    for agent, rows in grouped(hour, lambda row: row.agent).items():
        ordered = sorted(latencies(rows))
        figures = {f"p{share}_latency_ms": Rounded(percentile(ordered, share), 2) for share in (50, 90, 95, 99)}
        yield (agent,), {"agent": Same(agent), "latency_count": Same(len(ordered)), **figures}


def minutes(queries, now):
    """Of each agent its last 59 whole minutes, oldest first: (start, queries, latencies)."""
    end = now - now % MINUTE
    for agent, rows in grouped(bucketed(queries, now), lambda row: row.agent).items():
        found = grouped(rows, lambda row: row.at - row.at % MINUTE)
        starts = range(end - 59 * MINUTE, end, MINUTE)
        yield agent, [(start, len(found.get(start, [])), latencies(found.get(start, []))) for start in starts]


def moving_averages(queries, now):
    for agent, series in minutes(queries, now):
        for place, (start, count, values) in enumerate(series):
            five = series[max(0, place - 4):place + 1]
            yield (agent, start), {
                "agent": Same(agent), "minute_at": Same(start), "query_count": Same(count),
                "avg_latency_ms": Rounded(mean(values), 2),
                "queries_5min_avg": Rounded(mean([Fraction(it[1]) for it in five]), 2),
                "latency_5min_avg_ms": Rounded(mean([value for it in five for value in it[2]]), 2),
            }


def forecast(queries, now):
    for agent, series in minutes(queries, now):
        xs = [Fraction(place + 1 - len(series)) for place in range(len(series))]
        ys = [Fraction(count) for _, count, _ in series]
        mx, my = mean(xs), mean(ys)
        sxx = sum((x - mx) ** 2 for x in xs)
        sxy = sum((x - mx) * (y - my) for x, y in zip(xs, ys))
        syy = sum((y - my) ** 2 for y in ys)
        slope = sxy / sxx
        level = my - slope * mx
        spread = Decimal((syy - slope * sxy).numerator) / Decimal((syy - slope * sxy).denominator) / (len(xs) - 2)
        band = Fraction(Decimal("1.96") * max(Decimal(0), spread).sqrt())
        for ahead in range(1, 16):
            expected = level + slope * ahead
            at = series[-1][0] + ahead * MINUTE
            yield (agent, at), {
                "agent": Same(agent), "minute_at": Same(at), "expected_queries": Rounded(max(0, expected), 2),
                "low_queries": Rounded(max(0, expected - band), 2), "high_queries": Rounded(max(0, expected + band), 2),
            }


def utilization(queries, now):
    edge = bucket(now)
    whole = [row for row in bucketed(queries, now) if bucket(row.at) < edge]
    groups = grouped(whole, lambda row: row.agent)
    if whole:
        groups[None] = whole
    for agent, rows in groups.items():
        minute = sum(edge - bucket(row.at) <= MINUTE for row in rows)
        five = [row for row in rows if edge - bucket(row.at) <= 5 * MINUTE]
        peak = max(collections.Counter(bucket(row.at) for row in rows).values())
        used = Fraction(100 * minute, 60 * 500)
        yield (agent,), {
            "agent": Same(agent), "queries_per_second": Rounded(Fraction(minute, 60), 2),
            "queries_per_second_5min": Rounded(Fraction(len(five), 300), 2),
            "peak_per_second": Rounded(Fraction(peak, 5), 2),
            "busy": Rounded(sum(latencies(five), Fraction(0)) / 300000, 2), "utilization_pct": Rounded(used, 2),
            "utilization_status": Same("critical" if used > 90 else "warning" if used > 80 else "ok"),
        }


def rating(latency):
    """Of seed 000's leaderboard."""
    if latency is None:
        return None
    return "excellent" if latency < 200 else "good" if latency < 500 else "fair" if latency < 1000 else "needs_attention"


def performance(calls, now):
    hour = [call for call in calls if call.agent is not None and after(call.at, now - HOUR)]
    for agent, rows in grouped(hour, lambda call: call.agent).items():
        ordered = sorted(latencies(rows))
        yield (agent,), {
            "agent": Same(agent), "query_count_1h": Same(len(rows)), "avg_latency_ms": Rounded(mean(ordered), 2),
            "p95_latency_ms": Rounded(percentile(ordered, 95) if ordered else None, 2),
            "slow_query_count": Same(sum(latency > 1000 for latency in ordered)),
            "performance_rating": Same(rating(mean(ordered))), "refreshed_at": Stamp(),
        }


def trends(queries, _now):
    timed = [query for query in queries if query.agent is not None and finite(query.at)]
    for (agent, day), rows in grouped(timed, lambda query: (query.agent, query.at // DAY)).items():
        known = latencies(rows)
        date = (datetime.date(1970, 1, 1) + datetime.timedelta(days=day)).isoformat()
        yield (agent, date), {
            "agent": Same(agent), "day": Same(date), "query_count": Same(len(rows)), "latency_count": Same(len(known)),
            "total_latency_ms": Same(Fraction(sum(known))), "avg_latency_ms": Rounded(mean(known), 2),
            "max_latency_ms": Same(max(known, default=None)),
            "slow_query_count": Same(sum(latency > 200 for latency in known)),
        }


def blank(value):
    return value is None or value.strip(" ") == ""


def negative_or_no_number(given, number):
    return given != "\\N" and (number is None or number < 0)


def of_the_day(rows, now):
    """Those of the last 24 hours, or of no time; and the numbers that there should be between the first and last."""
    day = [row for row in rows if row.at is None or row.at == float("-inf") or row.at > now - DAY]
    timed = [row.id for row in day if finite(row.at)]
    return day, range(min(timed), max(timed) + 1) if timed else range(0)


def checked(checks):
    for name, (dimension, checked_count, failed) in checks.items():
        percent = Fraction(100 * failed, checked_count) if checked_count else None
        yield (name,), {
            "check_name": Same(name), "dimension": Same(dimension), "checked_count": Same(checked_count),
            "failed_count": Same(failed), "failed_pct": Rounded(percent, 2),
            "status": Same("failed" if failed else "ok"), "refreshed_at": Stamp(),
        }


def quality(queries, now):
    day, expected = of_the_day(queries, now)
    timed = [query for query in day if finite(query.at)]
    ids = {query.id for query in queries}
    events = collections.Counter((q.agent, q.conversation, q.query, q.at) for q in day if after(q.at, now - DAY))
    total = len(day)
    checks = {
        "agent_missing": ("completeness", total, sum(blank(q.agent) for q in day)),
        "query_missing": ("completeness", total, sum(blank(q.query) for q in day)),
        "latency_missing": ("completeness", total, sum(q.given == "\\N" for q in day)),
        "time_missing": ("completeness", total, total - len(timed)),
        "latency_invalid": ("accuracy", total, sum(negative_or_no_number(q.given, q.latency) for q in day)),
        "time_in_future": ("accuracy", total, sum(q.at > now + MINUTE for q in timed)),
        "missing_events": ("consistency", len(expected), sum(event not in ids for event in expected)),
        "duplicate_events": ("consistency", total, sum(count - 1 for count in events.values())),
        "conversation_missing": ("audit", total, sum(blank(q.conversation) for q in day)),
        "kept_too_long": ("retention", None, sum(finite(q.at) and q.at < now - 90 * DAY for q in queries)),
    }
    yield from checked(checks)


# --- approvals --------------------------------------------------------------------------------------------------------

def confidences(rows):
    return [row.confidence for row in rows if row.confidence is not None]


def queue(approvals, now):
    midnight = now - now % DAY
    pending = [row for row in approvals if row.status == "pending"]
    today = [row for row in approvals if row.status != "pending" and row.at is not None and row.at >= midnight]
    urgent = [row for row in pending if row.priority == "urgent"]
    yield ("current",), {
        "snapshot_time": Same("current"), "pending_count": Same(len(pending)),
        "approved_today": Same(sum(row.status == "approved" for row in today)),
        "rejected_today": Same(sum(row.status == "rejected" for row in today)),
        "avg_confidence": Rounded(mean(confidences(pending)), 4),
        "urgent_count": Same(len(urgent) + sum(row.priority == "urgent" for row in today)),
        "urgent_pending_count": Same(len(urgent)),
        "oldest_pending": Same(min((row.at for row in pending if finite(row.at)), default=None)),
        "refreshed_at": Stamp(),
    }


def summary(approvals, now):
    pending = [row for row in approvals if row.status == "pending"]
    timed = sorted((row for row in pending if finite(row.at)), key=lambda row: (row.at, row.id))
    ages = [now - row.at for row in timed]
    oldest = timed[0] if timed else min(pending, key=lambda row: row.id, default=None)
    between = lambda low, high: Same(sum(low < age <= high for age in ages))
    yield ("current",), {
        "snapshot_time": Same("current"), "pending_count": Same(len(pending)),
        "sla_breaches": Same(sum(age > 5 * MINUTE for age in ages)),
        "avg_pending_age_minutes": Rounded(None if not ages else mean(ages) / MINUTE, 2),
        "max_pending_age_minutes": Rounded(None if not ages else Fraction(max(ages), MINUTE), 2),
        "oldest_pending_conversation": Same(oldest.conversation if oldest else None),
        "pending_up_to_1min": between(float("-inf"), MINUTE), "pending_up_to_5min": between(MINUTE, 5 * MINUTE),
        "pending_up_to_1h": between(5 * MINUTE, HOUR), "pending_over_1h": between(HOUR, float("inf")),
        "refreshed_at": Stamp(),
    }


def accuracy(approvals, now):
    day = [row for row in approvals if finite(row.at) and row.at > now - 24 * HOUR]
    for start, rows in grouped(day, lambda row: row.at - row.at % HOUR).items():
        approved = sum(row.status == "approved" for row in rows)
        reviews = [Fraction(row.reviewed - row.at, SECOND) for row in rows if finite(row.reviewed)]
        yield (start,), {
            "window_start": Same(start), "total_drafts": Same(len(rows)), "approved_count": Same(approved),
            "approval_rate_pct": Rounded(Fraction(100 * approved, len(rows)), 2),
            "avg_confidence": Rounded(mean(confidences(rows)), 4),
            "avg_review_time_seconds": Rounded(mean(reviews), 3),
            "rejected_count": Same(sum(row.status == "rejected" for row in rows)), "reviewed_count": Same(len(reviews)),
        }


def approval_quality(approvals, now):
    day, expected = of_the_day(approvals, now)
    decided = [row for row in day if row.status in ("approved", "rejected")]
    ids = {row.id for row in approvals}
    events = collections.Counter(
        (row.conversation, row.at) for row in day if after(row.at, now - DAY) and not blank(row.conversation))
    limit = now - 90 * DAY
    kept = [row for row in approvals if finite(row.at) and row.at < limit and row.status not in (None, "pending")
            and all(at is None or at < limit for at in (row.updated, row.reviewed))]
    total = len(day)
    yield from checked({
        "conversation_missing": ("completeness", total, sum(blank(row.conversation) for row in day)),
        "status_missing": ("completeness", total, sum(blank(row.status) for row in day)),
        "confidence_missing": ("completeness", total, sum(row.given == "\\N" for row in day)),
        "time_missing": ("completeness", total, sum(not finite(row.at) for row in day)),
        "status_unknown": ("accuracy", total, sum(
            not blank(row.status) and row.status not in ("pending", "approved", "rejected") for row in day)),
        "confidence_invalid": ("accuracy", total, sum(negative_or_no_number(row.given, row.confidence) for row in day)),
        "time_in_future": ("accuracy", total, sum(finite(row.at) and row.at > now + MINUTE for row in day)),
        "missing_events": ("consistency", len(expected), sum(event not in ids for event in expected)),
        "duplicate_events": ("consistency", total, sum(count - 1 for count in events.values())),
        "reviewed_before_created": ("consistency", total, sum(
            row.reviewed is not None and row.at is not None and row.reviewed < row.at for row in day)),
        "reviewed_while_pending": ("consistency", total, sum(
            row.status == "pending" and row.reviewed is not None for row in day)),
        "reviewer_missing": ("audit", len(decided), sum(blank(row.by) for row in decided)),
        "review_time_missing": ("audit", len(decided), sum(not finite(row.reviewed) for row in decided)),
        "kept_too_long": ("retention", None, len(kept)),
    })


# --- comparing --------------------------------------------------------------------------------------------------------

Relation = collections.namedtuple("Relation", "source compute key")
RELATIONS = {
    "mv_realtime_agent_performance": Relation("queries", agents, ("agent",)),
    "mv_agent_query_quality": Relation("queries", quality, ("check_name",)),
    "mv_agent_daily_trends": Relation("queries", trends, ("agent", "day")),
    "mv_agent_latency_percentiles": Relation("queries", latency_percentiles, ("agent",)),
    "v_agent_moving_averages": Relation("queries", moving_averages, ("agent", "minute_at")),
    "v_agent_forecast": Relation("queries", forecast, ("agent", "minute_at")),
    "v_agent_utilization": Relation("queries", utilization, ("agent",)),
    "mv_query_performance_live": Relation("calls", performance, ("agent",)),
    "mv_agent_queue_realtime": Relation("approvals", queue, ("snapshot_time",)),
    "mv_approval_queue_summary": Relation("approvals", summary, ("snapshot_time",)),
    "mv_agent_accuracy_rolling": Relation("approvals", accuracy, ("window_start",)),
    "mv_agent_approval_quality": Relation("approvals", approval_quality, ("check_name",)),
}
views.KEYS.update({name: relation.key for name, relation in RELATIONS.items()})
views.TEXTS.update({"agent", "day", "check_name", "dimension", "status", "snapshot_time", "health_status",
                    "current_health_status", "utilization_status", "performance_rating", "oldest_pending_conversation"})
views.INSTANTS.update({"window_start", "oldest_pending"})


def rejected_figures(sources, now):
    """What a refresh of everything should count as left out."""
    hour = [row for row in sources["queries"] if after(row.at, now - HOUR)]
    calls = [row for row in sources["calls"] if after(row.at, now - HOUR)]
    pending = [row for row in sources["approvals"] if row.status == "pending"]
    day = [row for row in sources["approvals"] if after(row.at, now - 24 * HOUR)]
    return {
        "mv_realtime_agent_performance": sum(row.agent is None or row.bad for row in hour),
        "mv_query_performance_live": sum(row.agent is None or row.bad for row in calls),
        "mv_agent_queue_realtime": sum(not finite(row.at) or row.bad for row in pending),
        "mv_approval_queue_summary": sum(not finite(row.at) for row in pending),
        "mv_agent_accuracy_rolling": sum(
            not finite(row.at) or row.bad or (row.reviewed is not None and not finite(row.reviewed)) for row in day),
    }


def main():
    parser = argparse.ArgumentParser(description="Checks the agents' kept relations against the source tables.")
    parser.add_argument("--folder", required=True, help="queries.csv, calls.csv, approvals.csv and RELATION.csv")
    parser.add_argument("--as-of", required=True)
    parser.add_argument("--rejected", action="append", default=[], type=lambda word: word.split("=", 1),
                        metavar="RELATION=COUNT")
    parser.add_argument("relations", nargs="+", choices=sorted(RELATIONS))
    arguments = parser.parse_args()

    now = instant(arguments.as_of)
    sources = {"queries": list(read_queries(f"{arguments.folder}/queries.csv")),
               "calls": list(read_calls(f"{arguments.folder}/calls.csv")),
               "approvals": list(read_approvals(f"{arguments.folder}/approvals.csv"))}
    equal = True
    for name in arguments.relations:
        relation = RELATIONS[name]
        equal &= views.compare(name, relation.compute(sources[relation.source], now), f"{arguments.folder}/{name}.csv")
    figures = rejected_figures(sources, now)
    for name, count in arguments.rejected:
        if int(count) != figures[name]:
            print(f"{name}: rejected is {count}, should be {figures[name]}")
            equal = False
    return 0 if equal else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception:  # breaking off must not look like a difference
        traceback.print_exc()
        sys.exit(views.WRONG_INPUT)
