#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Computes the six kept relations from the source tables by itself, and compares.

It shares nothing with the plugins' SQL: scores and times are whole numbers (10^-15 points, microseconds), so that
sums, averages, percentiles, variances and slopes are exact fractions; weeks are counted in days since the epoch. What
is computed is what views.md and the seeds say. Only the standard library is used.

Input is CSV with a header, made by COPY (... ) TO ... (FORMAT csv, HEADER, NULL '\\N') with TimeZone UTC: see compare.

How exact it is about rounding: cells.py.

Exit: 0 all equal, 1 a difference (each is printed), 2 wrong usage or input.
"""

import argparse
import collections
import csv
import datetime
import decimal
import fractions
import json
import sys
import traceback

from cells import Rounded, Same, Stamp

Decimal = decimal.Decimal
Fraction = fractions.Fraction
decimal.getcontext().prec = 20000  # only ever used for exact work on parsed numbers
csv.field_size_limit(1 << 30)

POINT = 10 ** 15  # a score of one, as a whole number
DAY = 86_400_000_000  # microseconds
LIMIT = Decimal(10) ** 12  # scores and costs beyond are not used
SHOWN = 20
WRONG_INPUT = 2


# --- reading --------------------------------------------------------------------------------------------------------

def optional(convert):
    return lambda text: None if text == "\\N" else convert(text)


def number(text):
    """An exact fraction; NaN and infinities stay text, which equals no number."""
    value = Decimal(text)
    return Fraction(value) if value.is_finite() else text


def instant(text):
    """Microseconds since the epoch; infinite ones are floats, None is NULL."""
    if text == "\\N":
        return None
    if text.endswith("infinity"):
        return float(text)
    if text.endswith("+00"):
        text = text[:-3]
    date, _, time = text.partition(" ")
    year, month, day = (int(part) for part in date.split("-"))
    hour, minute, second = (time or "00:00:00").split(":")
    whole, _, part = second.partition(".")
    seconds = int(hour) * 3600 + int(minute) * 60 + int(whole)
    days = datetime.date(year, month, day).toordinal() - datetime.date(1970, 1, 1).toordinal()
    return days * DAY + seconds * 1_000_000 + int(part.ljust(6, "0") or 0)


def finite(at):
    return isinstance(at, int)


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


Submission = collections.namedtuple(
    "Submission", "agent challenge bout lanes composite at has_lanes malformed bad_score")


def score_of(value):
    """A lane's value in 10^-15 points, or None when it is no score."""
    if not isinstance(value, Decimal) or abs(value) >= LIMIT:
        return None
    return int(value.scaleb(15).to_integral_value(rounding=decimal.ROUND_HALF_UP))


def lanes_of(text):
    """Scores by lane, and how many members are none; (None, 0) without a document that has lanes."""
    if text == "\\N":
        return None, 0
    document = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    if not isinstance(document, dict):
        return None, 0
    scores = {lane: score_of(value) for lane, value in document.items()}
    good = {lane: score for lane, score in scores.items() if score is not None}
    return good, len(scores) - len(good)


def composite_of(text):
    """The score as a fraction of its 15 significant digits; None when there is none that can be used."""
    if text == "\\N":
        return None
    value = Decimal(text)
    if not value.is_finite() or abs(value) >= LIMIT:
        return None
    return Fraction(decimal.Context(prec=15, rounding=decimal.ROUND_HALF_EVEN).create_decimal(text))


def read_submissions(path):
    """The scored ones."""
    null = optional(str)
    for row in rows_of(path):
        if row["status"] != "scored":
            continue
        lanes, malformed = lanes_of(row["final_lane_scores"])
        composite = composite_of(row["composite_score"])
        yield Submission(
            agent=null(row["agent_id"]), challenge=null(row["challenge_id"]), bout=null(row["bout_id"]),
            lanes=lanes, composite=composite, at=instant(row["created_at"]),
            has_lanes=row["final_lane_scores"] != "\\N", malformed=malformed,
            bad_score=row["composite_score"] != "\\N" and composite is None)


# --- submissions ----------------------------------------------------------------------------------------------------

def mean(values):
    return Fraction(sum(values), len(values)) if values else None


def percentile(ordered, percent):
    """Linear interpolation between the two neighbours of rank percent/100 * (n - 1)."""
    below, rest = divmod(percent * (len(ordered) - 1), 100)
    value = Fraction(ordered[below])
    if rest:
        value += Fraction(rest, 100) * (ordered[below + 1] - ordered[below])
    return value


def deviation(values):
    """Of a sample; None for a single value."""
    count = len(values)
    if count < 2:
        return None
    centre = Fraction(sum(values), count)
    variance = sum((value - centre) ** 2 for value in values) / (count - 1)
    with decimal.localcontext() as context:
        context.prec = 60
        return Fraction((Decimal(variance.numerator) / Decimal(variance.denominator)).sqrt())


def slope(points):
    """Least squares, points per second, about the means; None where all times are one."""
    count = len(points)
    centre_time = Fraction(sum(at for at, _ in points), count)
    centre_score = Fraction(sum(score for _, score in points), count)
    spread = sum((at - centre_time) ** 2 for at, _ in points)
    if not spread:
        return None
    together = sum((at - centre_time) * (score - centre_score) for at, score in points)
    return together / spread * 1_000_000 / POINT


def distributions(submissions):
    groups = collections.defaultdict(list)
    for submission in submissions:
        if submission.challenge is not None:
            for lane, score in (submission.lanes or {}).items():
                groups[submission.challenge, lane].append((score, submission.at))
    for (challenge, lane), entries in groups.items():
        scores = sorted(score for score, _ in entries)
        points = lambda value: None if value is None else Fraction(value) / POINT
        row = {
            "challenge_id": Same(challenge), "lane_key": Same(lane), "sample_count": Same(len(scores)),
            "mean_score": Rounded(points(mean(scores)), 3), "stddev_score": Rounded(points(deviation(scores)), 3),
            "min_score": Rounded(points(scores[0]), 3), "max_score": Rounded(points(scores[-1]), 3),
            "last_submission_at": Same(max((at for _, at in entries if at is not None), default=None)),
        }
        for percent in (10, 25, 50, 75, 90):
            row[f"p{percent}"] = Rounded(points(percentile(scores, percent)), 3)
        yield (challenge, lane), row


class Category:
    """By the row's own rounded figures, wherever those are right."""

    def __init__(self, average, quartiles):
        self.average = average
        self.quartiles = quartiles
        self.row = None

    def value(self):
        scratch = collections.Counter()
        row = self.row or {}
        average = self.average.settle(row.get("avg_score"), scratch)
        first, median, third = (
            quartile.settle(row.get(f"challenge_p{percent}"), scratch)
            for quartile, percent in zip(self.quartiles, (25, 50, 75)))
        if average < first:
            return "persistent_weakness"
        if average < median:
            return "below_median"
        return "consistent_strength" if average > third else "average"

    def accepts(self, reported, _statistics):
        return reported == self.value()

    def __str__(self):
        return self.value()


def weaknesses(submissions):
    quartiles = {key: (row["p25"], row["p50"], row["p75"]) for key, row in distributions(submissions)}
    groups = collections.defaultdict(list)
    for submission in submissions:
        if None not in (submission.agent, submission.challenge) and finite(submission.at):
            for lane, score in (submission.lanes or {}).items():
                groups[submission.agent, submission.challenge, lane].append((submission.at, score))
    for (agent, challenge, lane), points in groups.items():
        if len(points) < 2:
            continue
        scores = [score for _, score in points]
        average = Rounded(mean(scores) / POINT, 3)
        first, median, third = quartiles[challenge, lane]
        yield (agent, challenge, lane), {
            "agent_id": Same(agent), "challenge_id": Same(challenge), "lane_key": Same(lane),
            "attempt_count": Same(len(points)), "avg_score": average,
            "min_score": Rounded(Fraction(min(scores), POINT), 3),
            "max_score": Rounded(Fraction(max(scores), POINT), 3),
            "score_trend_slope": Rounded(slope(points), 8),
            "performance_category": Category(average, (first, median, third)),
            "challenge_p25": first, "challenge_p50": median, "challenge_p75": third,
        }


def monday(at):
    """The start of its week in UTC; the epoch was a Thursday."""
    days = at // DAY
    return (days - (days + 3) % 7) * DAY


def progress(submissions):
    groups = collections.defaultdict(lambda: collections.defaultdict(list))
    for submission in submissions:
        if None not in (submission.agent, submission.challenge, submission.composite) and finite(submission.at):
            groups[submission.agent, submission.challenge][monday(submission.at)].append(submission.composite)
    for (agent, challenge), weeks in groups.items():
        previous = None
        for week in sorted(weeks):
            scores = weeks[week]
            average = mean(scores)
            yield (agent, challenge, week), {
                "agent_id": Same(agent), "challenge_id": Same(challenge), "week": Same(week),
                "submission_count": Same(len(scores)), "avg_composite_score": Rounded(average, 3),
                "best_composite_score": Rounded(max(scores), 3), "worst_composite_score": Rounded(min(scores), 3),
                "wow_composite_delta": Rounded(None if previous is None else average - previous, 3),
            }
            previous = average


def first_wins(submissions, winners):
    first, won = {}, {}
    for submission in submissions:
        if None in (submission.agent, submission.challenge) or not finite(submission.at):
            continue
        pair = submission.challenge, submission.agent
        first[pair] = min(first.get(pair, submission.at), submission.at)
        if submission.bout is not None and submission.agent in winners.get(submission.bout, ()):
            won[pair] = min(won.get(pair, submission.at), submission.at)
    waits = collections.defaultdict(list)
    for (challenge, agent), at in won.items():
        waits[challenge].append(at - first[challenge, agent])
    for challenge, times in waits.items():
        if len(times) >= 5:
            yield (challenge,), {
                "challenge_id": Same(challenge), "agents_with_win": Same(len(times)),
                "avg_days_to_first_win": Rounded(mean(times) / DAY, 1),
            }


# --- telemetry ------------------------------------------------------------------------------------------------------

class Requests:
    """The requests of one domain or model, and figures about them."""

    def __init__(self, rows, as_of):
        self.rows = rows
        self.as_of = as_of

    def known(self, name):
        return [row[name] for row in self.rows if row[name] is not None]

    def total(self, name):
        return Same(Fraction(sum(self.known(name))))

    def average(self, name, places=2):
        return Rounded(mean(self.known(name)), places)

    def most(self, name):
        return Same(max(map(Fraction, self.known(name)), default=None))

    def centile(self, name, percent):
        ordered = sorted(self.known(name))
        return Rounded(percentile(ordered, percent) if ordered else None, 2)

    def succeeded(self):
        return sum(row["success"] is True for row in self.rows)

    def since(self, hours):
        return [row for row in self.rows
                if row["at"] is not None and row["at"] > self.as_of - hours * 3_600_000_000]

    def spent_since(self, hours):
        return Same(Fraction(sum(row["cost"] for row in self.since(hours) if row["cost"] is not None)))

    def favourite(self, name):
        counts = collections.Counter(self.known(name))
        return Same(min(counts, key=lambda value: (-counts[value], value.encode()), default=None))

    def common(self):
        return {
            "success_rate_pct": Rounded(Fraction(100 * self.succeeded(), len(self.rows)), 2),
            "avg_cost_per_request": self.average("cost", 6),
            "total_tokens": self.total("tokens"), "avg_tokens_per_request": self.average("tokens"),
            "avg_duration_ms": self.average("duration_ms"), "p95_duration_ms": self.centile("duration_ms", 95),
            "avg_searches_per_request": self.average("search_count"),
            "avg_iterations_per_request": self.average("iteration_count"),
            "materialized_at": Stamp(),
        }

    def of_domain(self, domain):
        times = self.known("at")
        return self.common() | {
            "domain": Same(domain), "total_requests_all_time": Same(len(self.rows)),
            "successful_requests_all_time": Same(self.succeeded()),
            "total_cost_usd_all_time": self.total("cost"), "max_cost_single_request": self.most("cost"),
            "total_input_tokens": self.total("input_tokens"), "total_output_tokens": self.total("output_tokens"),
            "median_duration_ms": self.centile("duration_ms", 50), "max_duration_ms": self.most("duration_ms"),
            "total_searches": self.total("search_count"), "most_used_model": self.favourite("model"),
            "unique_models_used": Same(len(set(self.known("model")))),
            "first_request_at": Same(min(times, default=None)), "last_request_at": Same(max(times, default=None)),
            "requests_last_24h": Same(len(self.since(24))), "cost_last_24h": self.spent_since(24),
            "requests_last_7d": Same(len(self.since(168))), "cost_last_7d": self.spent_since(168),
        }

    def of_model(self, model):
        times = self.known("at")
        tokens = sum(self.known("tokens"))
        cost = Fraction(sum(self.known("cost")))
        return self.common() | {
            "model": Same(model), "total_uses": Same(len(self.rows)),
            "unique_domains": Same(len(set(self.known("domain")))), "successful_requests": Same(self.succeeded()),
            "total_cost": self.total("cost"),
            "cost_per_1k_tokens": Rounded(cost * 1000 / tokens if tokens else None, 6),
            "avg_input_tokens": self.average("input_tokens"), "avg_output_tokens": self.average("output_tokens"),
            "first_used_at": Same(min(times, default=None)), "last_used_at": Same(max(times, default=None)),
            "uses_last_24h": Same(len(self.since(24))), "uses_last_7d": Same(len(self.since(168))),
        }


def read_telemetry(path):
    whole = optional(int)
    text = optional(str)
    cost = optional(Decimal)
    for source in rows_of(path):
        row = {name: whole(source[name]) for name in
               ("input_tokens", "output_tokens", "duration_ms", "search_count", "iteration_count")}
        row["domain"], row["model"] = text(source["domain"]), text(source["model"])
        row["success"] = {"t": True, "f": False, "\\N": None}[source["success"]]
        paid = cost(source["cost_usd"])
        row["bad_cost"] = paid is not None and (not paid.is_finite() or abs(paid) >= LIMIT)
        row["cost"] = None if paid is None or row["bad_cost"] else Fraction(paid)
        counts = [row[name] for name in ("input_tokens", "output_tokens") if row[name] is not None]
        row["tokens"] = sum(counts) if counts else None
        row["at"] = instant(source["created_at"])
        yield row


def summaries(telemetry, by, as_of):
    groups = collections.defaultdict(list)
    for row in telemetry:
        if row[by] is not None:
            groups[row[by]].append(row)
    for name, rows in groups.items():
        requests = Requests(rows, as_of)
        yield (name,), requests.of_domain(name) if by == "domain" else requests.of_model(name)


# --- comparing ------------------------------------------------------------------------------------------------------

KEYS = {
    "mv_lane_score_distribution": ("challenge_id", "lane_key"),
    "mv_weakness_patterns": ("agent_id", "challenge_id", "lane_key"),
    "mv_agent_progress": ("agent_id", "challenge_id", "week"),
    "mv_time_to_first_win": ("challenge_id",),
    "chat_telemetry_domain_summary": ("domain",),
    "chat_telemetry_model_summary": ("model",),
}
TEXTS = {"agent_id", "challenge_id", "lane_key", "performance_category", "domain", "model", "most_used_model"}
INSTANTS = {"week"}


def read_kept(path, relation):
    """Rows of a kept relation by key, and the keys that came twice."""
    rows, twice = {}, []
    for source in rows_of(path):
        row = {}
        for name, cell in source.items():
            convert = optional(str) if name in TEXTS else \
                instant if name in INSTANTS or name.endswith("_at") else optional(number)
            row[name] = convert(cell)
        key = tuple(row[name] for name in KEYS[relation])
        twice += [key] if key in rows else []
        rows[key] = row
    return rows, twice


def header_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return set(next(csv.reader(file)))


def shown(value):
    if isinstance(value, Fraction):
        return str(float(value)) if value.denominator != 1 else str(value.numerator)
    return "NULL" if value is None else str(value)


def differences(expected, kept, columns, statistics):
    for key in sorted(expected.keys() - kept.keys(), key=str):
        yield f"missing row {key}"
    for key in sorted(kept.keys() - expected.keys(), key=str):
        yield f"row that should not be there {key}"
    for key in sorted(expected.keys() & kept.keys(), key=str):
        for name in sorted(expected[key].keys() & columns):
            cell, reported = expected[key][name], kept[key][name]
            if isinstance(cell, Category):
                cell.row = kept[key]
            if not cell.accepts(reported, statistics):
                yield f"{key} {name}: is {shown(reported)}, should be {cell}"


def compare(relation, expected, path):
    """Prints the result; whether all is equal."""
    expected = dict(expected)
    statistics = collections.Counter()
    kept, twice = read_kept(path, relation)
    found = [f"key {key} is there twice" for key in twice]
    columns = header_of(path)
    if expected:
        wanted = set(next(iter(expected.values())))
        found += [f"column {name} is missing" for name in sorted(wanted - columns)]
        found += [f"column {name} is not known" for name in sorted(columns - wanted)]
    found += differences(expected, kept, columns, statistics)
    verdict = f"{len(found)} differences" if found else "equal"
    print(f"{relation}: {len(kept)} rows, {verdict} ({statistics['ties']} at a rounding tie)")
    for line in found[:SHOWN]:
        print(f"  {line}")
    if len(found) > SHOWN:
        print(f"  and {len(found) - SHOWN} more")
    return not found


def rejected_figures(submissions, telemetry):
    """What the runs should count as left out."""
    figures = collections.Counter()
    for submission in submissions:
        timed = None not in (submission.agent, submission.challenge) and finite(submission.at)
        if submission.has_lanes:
            for relation, usable in (("mv_lane_score_distribution", submission.challenge is not None),
                                     ("mv_weakness_patterns", timed)):
                figures[relation] += submission.malformed if usable and submission.lanes is not None else 1
        figures["mv_agent_progress"] += submission.bad_score or (submission.composite is not None and not timed)
        figures["mv_time_to_first_win"] += not timed
    for row in telemetry:
        figures["chat_telemetry_domain_summary"] += row["domain"] is None or row["bad_cost"]
        figures["chat_telemetry_model_summary"] += row["model"] is None or row["bad_cost"]
    return figures


def latest_stamp(path):
    """As of when the relation was computed: a refresh stamps the rows that it changes."""
    stamps = (instant(row["materialized_at"]) for row in rows_of(path))
    return max((stamp for stamp in stamps if stamp is not None), default=0)


def read_winners(path):
    winners = collections.defaultdict(set)
    for row in rows_of(path):
        if row["winner_agent_id"] != "\\N":
            winners[row["bout_id"]].add(row["winner_agent_id"])
    return winners


def named(text):
    name, _, value = text.partition("=")
    if name not in KEYS or not value:
        raise argparse.ArgumentTypeError(f"{text}: RELATION=... of {', '.join(KEYS)}")
    return name, value


def main():
    parser = argparse.ArgumentParser(description="Checks kept relations against the source tables.")
    parser.add_argument("--submissions", required=True)
    parser.add_argument("--bouts", required=True)
    parser.add_argument("--telemetry", required=True)
    parser.add_argument("--as-of", help="end of the telemetry windows; default: the relation's latest stamp")
    parser.add_argument("--rejected", action="append", default=[], type=named, metavar="RELATION=COUNT")
    parser.add_argument("kept", nargs="+", type=named, metavar="RELATION=CSV")
    arguments = parser.parse_args()

    submissions = list(read_submissions(arguments.submissions))
    winners = read_winners(arguments.bouts)
    telemetry = list(read_telemetry(arguments.telemetry))

    def expected_of(relation, path):
        if relation.startswith("chat_telemetry"):
            as_of = instant(arguments.as_of) if arguments.as_of else latest_stamp(path)
            return summaries(telemetry, KEYS[relation][0], as_of)
        if relation == "mv_time_to_first_win":
            return first_wins(submissions, winners)
        return {"mv_lane_score_distribution": distributions, "mv_weakness_patterns": weaknesses,
                "mv_agent_progress": progress}[relation](submissions)

    equal = True
    for relation, path in arguments.kept:
        equal &= compare(relation, expected_of(relation, path), path)
    figures = rejected_figures(submissions, telemetry)
    for relation, count in arguments.rejected:
        if int(count) != figures[relation]:
            print(f"{relation}: rejected is {count}, should be {figures[relation]}")
            equal = False
    return 0 if equal else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception:  # breaking off must not look like a difference
        traceback.print_exc()
        sys.exit(WRONG_INPUT)
