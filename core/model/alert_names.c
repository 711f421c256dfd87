/* SPDX-License-Identifier: PostgreSQL */
#include "model/alert_names.h"

#include <stddef.h>

/* tests/integration/test_alerts.c holds it against the ledger's. */
const char *const alert_standard_names[] = {"clock-ahead",
                                            "condition-broken",
                                            "events-unheard",
                                            "follower-differs",
                                            "history-partition",
                                            "horizon",
                                            "job-failed",
                                            "job-failure-rate",
                                            "job-late",
                                            "job-missed",
                                            "job-overdue",
                                            "job-refused",
                                            "job-rows",
                                            "job-skipped",
                                            "job-slow",
                                            "job-suspended",
                                            "ledger-bloat",
                                            "ledger-unlogged",
                                            "live-view-refresh-slow",
                                            "plugin-failed",
                                            "queue-full",
                                            "quota-full",
                                            "sessions",
                                            "sink-failing",
                                            "unled",
                                            "view-differs",
                                            "view-late",
                                            "view-refresh-failing",
                                            "view-refresh-slow",
                                            "view-stale",
                                            "view-unfilled",
                                            "view-unverified",
                                            NULL};
