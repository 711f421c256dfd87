/* SPDX-License-Identifier: PostgreSQL */
/* The calendar of instant.h. */
#include "base/instant.h"

#define DAYS_PER_ERA INT64_C(146097) /* 400 Gregorian years */
#define DAYS_TO_1970 INT64_C(719468) /* from 0000-03-01, where the count of days starts */

static int64_t floor_divide(int64_t dividend, int64_t divisor)
{
    int64_t quotient = dividend / divisor;
    return dividend % divisor < 0 ? quotient - 1 : quotient;
}

/* Years are counted from March, so that the leap day is a year's last (Hinnant's "days from civil"). */
static int64_t days_from_civil(int64_t year, int month, int day)
{
    int64_t shifted = month > 2 ? year : year - 1;
    int64_t era = floor_divide(shifted, 400);
    int64_t year_of_era = shifted - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970;
}

static void civil_from_days(int64_t days, struct civil *civil)
{
    int64_t shifted = days + DAYS_TO_1970;
    int64_t era = floor_divide(shifted, DAYS_PER_ERA);
    int64_t day_of_era = shifted - era * DAYS_PER_ERA;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    civil->day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    civil->month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    civil->year = (int)(year_of_era + era * 400 + (civil->month <= 2 ? 1 : 0));
    civil->weekday = (int)(((days + 4) % 7 + 7) % 7);
}

struct civil instant_to_civil(instant at)
{
    int64_t days = floor_divide(at, USEC_PER_DAY);
    int64_t rest = (at % USEC_PER_DAY + USEC_PER_DAY) % USEC_PER_DAY;
    struct civil civil = {0};
    civil_from_days(days, &civil);
    civil.hour = (int)(rest / USEC_PER_HOUR);
    civil.minute = (int)(rest / USEC_PER_MINUTE % 60);
    civil.second = (int)(rest / USEC_PER_SEC % 60);
    civil.usec = (int)(rest % USEC_PER_SEC);
    return civil;
}

instant civil_to_instant(const struct civil *civil)
{
    int64_t days = days_from_civil(civil->year, civil->month, civil->day);
    return days * USEC_PER_DAY + civil->hour * USEC_PER_HOUR + civil->minute * USEC_PER_MINUTE +
           civil->second * USEC_PER_SEC + civil->usec;
}

int civil_month_days(int year, int month)
{
    if (month == 2) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        return leap ? 29 : 28;
    }
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}
