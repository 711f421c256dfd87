/* SPDX-License-Identifier: PostgreSQL */
#include "ledger/slot_backfill.h"

#include <stdio.h>

#include "base/memory.h"
#include "ledger/columns.h"

void ledger_feed_backfill(const struct ledger *ledger, int64_t backfill_id, instant position, const instant *slots,
                          size_t count, bool last, pg_callback *callback, void *data)
{
    struct columns columns;
    char number[24];
    char from[INSTANT_TEXT_SIZE];
    snprintf(number, sizeof(number), "%lld", (long long)backfill_id);
    columns_init(&columns);
    for (size_t i = 0; i < count; i++) {
        columns_instant(&columns, 0, slots[i]);
    }
    columns_close(&columns);
    const char *parameters[] = {ledger->token, number, instant_format(position, from), columns.values[0],
                                last ? "t" : "f"};
    ledger_send_one(ledger, NULL, "SELECT chime.feed_slot_backfill($1, $2, $3, $4, $5)", COUNT_OF(parameters),
                    parameters, callback, data);
    columns_finish(&columns);
}
