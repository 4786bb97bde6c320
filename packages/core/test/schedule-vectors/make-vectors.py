#!/usr/bin/env python3
"""Works out `due` of every schedule in __fixtures__/vectors.json, and writes the file anew.

A second source, made from the rules in docs/guide/schedules.md and not from the TypeScript: days come from dateutil's recurrence rules, zones from
zoneinfo, and a wall time is found by walking over the minutes of UTC until the clock on the wall shows it. Slow on purpose. See README.md.
"""

import json
import re
from datetime import date, datetime, time, timedelta, timezone
from importlib.metadata import version
from pathlib import Path
from zoneinfo import ZoneInfo

from dateutil.rrule import DAILY, FR, MO, MONTHLY, SA, SU, TH, TU, WE, WEEKLY, rrule

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
WEEKDAYS = {'monday': MO, 'tuesday': TU, 'wednesday': WE, 'thursday': TH, 'friday': FR, 'saturday': SA, 'sunday': SU}
IN_ORDER = [MO, TU, WE, TH, FR, SA, SU]


def wall(moment, zone):
    return moment.astimezone(zone).replace(tzinfo=None)


def first_at_or_past(naive, zone):
    """The first minute of UTC at which the clock on the wall shows `naive` or has jumped over it."""
    moment = naive.replace(tzinfo=timezone.utc) - timedelta(hours=40)
    while wall(moment, zone) < naive:
        moment += MINUTE
    return moment


def days_of(rule, first, last):
    """The days between two dates on which a rule with times of day is due."""
    start = datetime.combine(first, time())
    until = datetime.combine(last, time())

    def between(frequency, **options):
        return {each.date() for each in rrule(frequency, dtstart=options.pop('dtstart', start), until=until, **options)}

    every = rule.get('every')
    if rule['type'] == 'custom':
        return between(WEEKLY, byweekday=[IN_ORDER[index] for index, digit in enumerate(rule['days']) if digit == '1'])
    if rule['type'] == 'advanced':
        months = rule.get('months', list(range(1, 13)))
        days = set()
        if rule.get('days'):
            days |= between(MONTHLY, bymonthday=rule['days'], bymonth=months)
        for each in rule.get('weekdays', []):
            nth = -1 if each['nth'] == 'last' else each['nth']
            days |= between(MONTHLY, byweekday=WEEKDAYS[each['weekday']](nth), bymonth=months)
        if rule.get('lastDay'):
            days |= between(MONTHLY, bymonthday=-1, bymonth=months)
        if rule.get('lastWeekday'):
            days |= between(MONTHLY, byweekday=(MO, TU, WE, TH, FR), bysetpos=-1, bymonth=months, dtstart=start.replace(day=1))
        return {day for day in days if day >= first}
    if every == 'day':
        return between(DAILY)
    if every == 'weekday':
        return between(WEEKLY, byweekday=(MO, TU, WE, TH, FR))
    if every == 'weekend':
        return between(WEEKLY, byweekday=(SA, SU))
    if every == 'week':
        return between(WEEKLY, byweekday=WEEKDAYS[rule['on']])
    if every == 'two-weeks':
        anchor = datetime.fromisoformat(rule['anchor'])
        while anchor > start:
            anchor -= 14 * DAY
        return {day for day in between(DAILY, interval=14, dtstart=anchor) if day >= first}
    assert every == 'month'
    on = rule['on']
    if on == 'last':
        return between(MONTHLY, bymonthday=-1)
    if on <= 28 or rule.get('shortMonth') == 'skip':
        return between(MONTHLY, bymonthday=on)
    whole_months = start.replace(day=1)
    return {day for day in between(MONTHLY, bymonthday=list(range(28, on + 1)), bysetpos=-1, dtstart=whole_months) if day >= first}


def by_days(rule, zone, start, end):
    due = set()
    times = [rule['at']] if isinstance(rule['at'], str) else rule['at']
    for day in days_of(rule, start.date() - 2 * DAY, end.date() + 2 * DAY):
        for each in times:
            due.add(first_at_or_past(datetime.combine(day, time.fromisoformat(each)), zone))
    return due


def by_minutes(matches, zone, start, end, gap_counts):
    """Every minute at which the wall shows a due time; with `gap_counts` also the end of a gap that had one in it."""
    due = set()
    moment = start - MINUTE
    before = wall(moment, zone)
    while moment < end:
        moment += MINUTE
        now = wall(moment, zone)
        skipped = before + MINUTE
        while gap_counts and skipped < now:
            if matches(skipped):
                due.add(moment)
            skipped += MINUTE
        if matches(now):
            due.add(moment)
        before = now
    return due


NAMES = {
    'month': 'jan feb mar apr may jun jul aug sep oct nov dec'.split(),
    'weekday': 'sun mon tue wed thu fri sat'.split(),
}


def cron_values(field, low, high, names=None):
    def number(text):
        if names and text.lower() in NAMES[names]:
            return NAMES[names].index(text.lower()) + low
        return int(text)

    values = set()
    for part in field.split(','):
        span, _, step = part.partition('/')
        if span == '*':
            first, last = low, high
        else:
            first, _, last = span.partition('-')
            first = number(first)
            last = number(last) if last else first
        values |= set(range(first, last + 1, int(step or 1)))
    return values


def cron_day(field_of_month, field_of_week):
    """Whether a date is one of a cron expression's: if both fields say something, either will do."""

    def last_day(day):
        return (day + DAY).month != day.month

    def in_month(day):
        return any(last_day(day) if part == 'L' else day.day in cron_values(part, 1, 31) for part in field_of_month.split(','))

    def in_week(day):
        for part in field_of_week.split(','):
            special = re.fullmatch(r'(\w+?)(?:#(\d)|#?L)', part)
            plain = special.group(1) if special else part
            if day.isoweekday() % 7 not in {value % 7 for value in cron_values(plain, 0, 7 if '*' not in plain else 6, 'weekday')}:
                continue
            if not special:
                return True
            nth = special.group(2)
            if (day + 7 * DAY).month != day.month if nth is None else (day.day - 1) // 7 + 1 == int(nth):
                return True
        return False

    if field_of_month != '*' and field_of_week != '*':
        return lambda day: in_month(day) or in_week(day)
    return lambda day: in_month(day) and in_week(day)


def by_cron(expression, zone, start, end):
    minute, hour, day_of_month, month, day_of_week = expression.split()
    minutes, hours = cron_values(minute, 0, 59), cron_values(hour, 0, 23)
    months, is_day = cron_values(month, 1, 12, 'month'), cron_day(day_of_month, day_of_week)

    def matches(naive):
        return naive.minute in minutes and naive.hour in hours and naive.month in months and is_day(naive.date())

    every_hour = hours == set(range(24))
    if every_hour or '*' in minute or '*' in hour:
        return by_minutes(matches, zone, start, end, gap_counts=not every_hour)
    due = set()
    day = start.date() - 2 * DAY
    while day <= end.date() + 2 * DAY:
        if day.month in months and is_day(day):
            due |= {first_at_or_past(datetime.combine(day, time(h, m)), zone) for h in hours for m in minutes}
        day += DAY
    return due


def by_elapsed(rule, start, end):
    amount, unit = re.fullmatch(r'(\d+)([smhd])', rule['interval']).groups()
    interval = timedelta(seconds=int(amount) * {'s': 1, 'm': 60, 'h': 3600, 'd': 86400}[unit])
    moment = datetime.fromisoformat(rule.get('anchor', '1970-01-01T00:00:00Z'))
    moment += (start - moment) // interval * interval
    due = set()
    while moment < end:
        due.add(moment)
        moment += interval
    return due


def due_times(schedule, start, end):
    zone = ZoneInfo(schedule.get('zone', 'UTC'))
    if schedule['type'] == 'every':
        due = by_elapsed(schedule, start, end)
    elif schedule['type'] == 'cron':
        due = by_cron(schedule['expression'], zone, start, end)
    elif schedule.get('every') == 'hour':
        due = by_minutes(lambda naive: naive.minute == schedule.get('minute', 0), zone, start, end, gap_counts=False)
    else:
        due = by_days(schedule, zone, start, end)
    return sorted(each for each in due if start <= each < end)


def iso(moment):
    return moment.strftime('%Y-%m-%dT%H:%M:%S.000Z')


def main():
    file = Path(__file__).parent / '__fixtures__' / 'vectors.json'
    vectors = json.loads(file.read_text())['vectors']
    for vector in vectors:
        start, end = (datetime.fromisoformat(vector[key]) for key in ('from', 'until'))
        vector['due'] = [iso(each) for each in due_times(vector['schedule'], start, end)]
    lines = ',\n'.join('    ' + json.dumps(each) for each in vectors)
    made = f'zoneinfo with tzdata {version("tzdata")}, dateutil {version("python-dateutil")}'
    file.write_text(f'{{\n  "made": {json.dumps(made)},\n  "vectors": [\n{lines}\n  ]\n}}\n')
    print(f'{len(vectors)} schedules, {sum(len(each["due"]) for each in vectors)} due times, {made}')


if __name__ == '__main__':
    main()
