// SPDX-License-Identifier: PostgreSQL
import { utcDay, timeDay, utcMinute, timeMinute } from 'd3-time';
import { zone, zoneName } from '../clock';

/** An instant on an axis: no more of it than it has. */
export function axisText(at: Date): string {
    const utc = zone.value === 'UTC';
    const day = utc ? utcDay : timeDay;
    const minute = utc ? utcMinute : timeMinute;
    const options: Intl.DateTimeFormatOptions =
        day(at) >= at
            ? { day: 'numeric', month: 'short' }
            : {
                  hour: '2-digit',
                  minute: '2-digit',
                  ...(minute(at) >= at ? {} : { second: '2-digit' }),
                  hourCycle: 'h23',
              };
    return at.toLocaleString('en-GB', { ...options, timeZone: zoneName() });
}
