# SPDX-License-Identifier: PostgreSQL
"""What the rollup tables of plugin telemetry must hold, from chat_telemetry (see recount)."""

import collections
import decimal
import fractions

from cells import Rounded, Same, Stamp
from views import instant, mean, optional

Fraction = fractions.Fraction
MINUTE = 60_000_000
MINUTE_COLUMNS = ("total_requests", "success_count", "total_cost_usd", "cost_count", "total_input_tokens",
                  "total_output_tokens", "total_duration_ms", "duration_count", "total_searches", "search_count",
                  "total_iterations", "iteration_count")
WIDTHS = {"hour": 3_600_000_000, "day": 86_400_000_000}  # microseconds
EARLIEST, LATEST = instant("2000-01-01 00:00:00"), instant("2100-01-01 00:00:00")
LIMIT = 10 ** 12

SOURCES = {"chat_telemetry": "domain, model, success, cost_usd, input_tokens, output_tokens, duration_ms, search_count,"
                             " iteration_count, created_at"}

text, whole = optional(str), optional(int)


def cost_of(cell):
    if cell == "\\N":
        return None
    value = decimal.Decimal(cell)
    return Fraction(value) if value.is_finite() and abs(value) < LIMIT else None


def requests(tables):
    for row in tables["chat_telemetry"]:
        at = instant(row["created_at"])
        if at is not None and EARLIEST <= at < LATEST:
            yield {name: whole(row[name]) for name in
                   ("input_tokens", "output_tokens", "duration_ms", "search_count", "iteration_count")} | {
                "domain": text(row["domain"]), "model": text(row["model"]), "success": row["success"] == "t",
                "cost": cost_of(row["cost_usd"]), "at": at}


def bucket(rows):
    known = lambda name: [row[name] for row in rows if row[name] is not None]
    succeeded = sum(row["success"] for row in rows)
    cells = {
        "total_requests": Same(len(rows)), "success_count": Same(succeeded), "failure_count": Same(len(rows) - succeeded),
        "success_rate_pct": Rounded(Fraction(100 * succeeded, len(rows)), 2),
        "total_input_tokens": Same(sum(known("input_tokens"))), "total_output_tokens": Same(sum(known("output_tokens"))),
        "total_cost_usd": Same(Fraction(sum(known("cost")))), "cost_count": Same(len(known("cost"))),
        "avg_cost_per_request": Rounded(mean(known("cost")), 6),
        "last_request_at": Same(max(row["at"] for row in rows)), "materialized_at": Stamp(),
    }
    for column, total, count, average in (("duration_ms", "total_duration_ms", "duration_count", "avg_duration_ms"),
                                          ("search_count", "total_searches", "search_count", "avg_searches"),
                                          ("iteration_count", "total_iterations", "iteration_count", "avg_iterations")):
        cells |= {total: Same(sum(known(column))), count: Same(len(known(column))),
                  average: Rounded(mean(known(column)), 2)}
    return cells


def rollups(by=None):
    def expected(tables, _as_of):
        groups = collections.defaultdict(list)
        for row in requests(tables):
            if by is None or row[by] is not None:
                for granularity, width in WIDTHS.items():
                    groups[(row["at"] // width * width, granularity) + ((row[by],) if by else ())].append(row)
        for key, rows in groups.items():
            yield key, bucket(rows) | {
                "bucket_start": Same(key[0]), "bucket_end": Same(key[0] + WIDTHS[key[1]]), "granularity": Same(key[1]),
            } | ({by: Same(key[2])} if by else {})
    return expected


def minutes(tables, as_of):
    """Of the last three hours and the running one: all requests, and those of each domain."""
    running = as_of // MINUTE * MINUTE
    groups = collections.defaultdict(list)
    for row in requests(tables):
        start = row["at"] // MINUTE * MINUTE
        if running - 180 * MINUTE <= start <= running:
            for domain in {None, row["domain"]}:
                groups[(start, domain)].append(row)
    for key, rows in groups.items():
        cells = bucket(rows)
        yield key, {name: cells[name] for name in MINUTE_COLUMNS} | {"bucket_start": Same(key[0]), "domain": Same(key[1])}


READERS = {name: instant for name in ("bucket_start", "bucket_end", "last_request_at", "materialized_at")} | {
    name: text for name in ("granularity", "domain", "model")}
RELATIONS = {
    "chat_telemetry_rollups": (("bucket_start", "granularity"), READERS, rollups()),
    "chat_telemetry_domain_rollups": (("bucket_start", "granularity", "domain"), READERS, rollups("domain")),
    "chat_telemetry_minute_rollups": (("bucket_start", "domain"), READERS, minutes),
    "chat_telemetry_model_rollups": (("bucket_start", "granularity", "model"), READERS, rollups("model")),
}
