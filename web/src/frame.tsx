// SPDX-License-Identifier: PostgreSQL
// The bar on top of every page: where one is, who leads, what is amiss.
import { computed, effect, signal } from '@preact/signals';
import { jobZone, setZone, shortText, spanText, now, zone, zoneAfter } from './clock';
import { Mark } from './marks';
import { At, Words } from './parts';
import { awaySince, tilesOnly, useResource } from './resource';
import { paused } from './stream';
import { go, link, route } from './route';
import type { Alert, Database, Finding } from './types';
import { helpOpen } from './keys';

export const pages = [
    ['overview', 'Overview', 'o'],
    ['tiles', 'Tiles', 't'],
    ['jobs', 'Jobs', 'j'],
    ['runs', 'Runs', 'r'],
    ['views', 'Views', 'v'],
    ['graph', 'Graph', 'g'],
    ['alerts', 'Alerts', 'a'],
    ['history', 'History', 'h'],
    ['doctor', 'Doctor', 'd'],
] as const;

type Theme = 'auto' | 'light' | 'dark';
const theme = signal<Theme>((localStorage.getItem('theme') as Theme) ?? 'auto');
effect(() => {
    localStorage.setItem('theme', theme.value);
    document.documentElement.dataset.theme = theme.value;
});
const themeAfter: Record<Theme, Theme> = { auto: 'light', light: 'dark', dark: 'auto' };

const within: Record<string, string> = { job: 'jobs', view: 'views' };

function Tab({ database, page, name, number }: { database: string; page: string; name: string; number: number }) {
    const here = tilesOnly.value || (within[route.value.page] ?? route.value.page) === page;
    return (
        <a href={link(database, page)} aria-current={here ? 'page' : undefined}>
            {name}
            {number > 0 && <span class="badge"> {number}</span>}
        </a>
    );
}

function Tabs({ database }: { database: string }) {
    const alerts = useResource<{ alerts: Alert[] }>(
        database && !tilesOnly.value ? `/d/${encodeURIComponent(database)}/alerts` : '',
    ).data.value?.alerts;
    const findings = useResource<{ findings: Finding[] }>(
        database && route.value.page === 'doctor' ? `/d/${encodeURIComponent(database)}/doctor` : '',
    ).data.value?.findings;
    const numbers: Record<string, number> = {
        alerts: alerts?.filter((alert) => alert.state === 'firing' && alert.silence == null).length ?? 0,
        doctor: findings?.filter((finding) => finding.state !== 'ok').length ?? 0,
    };
    return (
        <nav aria-label="Pages">
            {pages
                .filter(([page]) => !tilesOnly.value || page === 'tiles')
                .map(([page, name]) => (
                <Tab key={page} database={database} page={page} name={name} number={numbers[page] ?? 0} />
            ))}
        </nav>
    );
}

function DatabaseChoice({ databases, chosen }: { databases: Database[]; chosen: string }) {
    if (databases.length < 2) return <span class="database">{chosen}</span>;
    return (
        <select
            class="database"
            aria-label="Database"
            value={chosen}
            onChange={(event) =>
                go(
                    link(
                        event.currentTarget.value,
                        route.value.page in within ? within[route.value.page] : route.value.page,
                    ),
                )
            }
        >
            {databases.map((it) => (
                <option key={it.database} value={it.database}>
                    {it.database}
                </option>
            ))}
        </select>
    );
}

const followersText = (followers: Database['followers']) =>
    Array.isArray(followers) ? followers.join(', ') : followers;

function Leader({ of }: { of: Database }) {
    if (!of.reachable) {
        return (
            <p class="strip bad">
                <Mark state="away" word={`database ${of.database} is not reachable`} /> <span>{of.problem}</span>
            </p>
        );
    }
    if (of.led) return null;
    if (!of.leader) {
        return (
            <p class="strip bad">
                <Mark state="unled" word="nobody leads" />
                <span>
                    {of.late_jobs ? `${of.late_jobs} jobs are late; ` : ''}no run starts until a daemon leads: pgchime
                    serve
                </span>
            </p>
        );
    }
    return (
        <p class="strip">
            <Mark state="leads" word={`${of.leader} leads`} />
            <span>
                since <At at={of.leader_since} />
            </span>
            <span>epoch {of.epoch}</span>
            {of.heartbeat_age_ms != null && (
                <span>heard of {of.heartbeat_age_ms < 2000 ? 'just now' : `${spanText(of.heartbeat_age_ms)} ago`}</span>
            )}
            <span>{followersText(of.followers) ? `follows: ${followersText(of.followers)}` : 'nobody follows'}</span>
            {of.standby_behind_ms != null && (
                <Mark state="warn" word={`standby, ${spanText(of.standby_behind_ms)} old`} />
            )}
            {of.problem && (
                <span class="problem">
                    <Mark state="warn" word="amiss" />{' '}
                    <a href={link(of.database, 'doctor')}>
                        <Words text={shortText(of.problem)} />
                    </a>
                </span>
            )}
            {paused.value && <Mark state="suspended" word="updates are paused: press . to go on" />}
        </p>
    );
}

function zoneWord(): string {
    if (zone.value === 'job') return jobZone.value || "the job's";
    return zone.value === 'UTC' ? 'UTC' : 'local time';
}

const awayText = computed(() => (awaySince.value ? spanText(Math.max(0, now.value - awaySince.value)) : ''));

export function Bar({ databases, chosen }: { databases: Database[]; chosen: string }) {
    const here = databases.find((it) => it.database === chosen);
    return (
        <header class="bar">
            <div class="bar-top">
                <a class="brand" href="#/">
                    <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
                        <path d="M4.5 6h23M8 6v12M13.3 6v17M18.7 6v14M24 6v9" />
                    </svg>
                    pgchime
                </a>
                <DatabaseChoice databases={databases} chosen={chosen} />
                {chosen && <Tabs database={chosen} />}
                <div class="switches">
                    <button type="button" onClick={() => setZone(zoneAfter(zone.value))}>
                        <span class="for-ears">Times: </span>
                        <span>{zoneWord()}</span>
                    </button>
                    <button type="button" onClick={() => (theme.value = themeAfter[theme.value])}>
                        <span class="for-ears">Colours: </span>
                        <span>{theme.value}</span>
                    </button>
                    <button type="button" onClick={() => (helpOpen.value = true)}>
                        <span class="for-ears">Keys </span>?
                    </button>
                </div>
            </div>
            {awaySince.value > 0 && (
                <p class="strip bad" role="status">
                    <Mark state="failed" word={`not connected for ${awayText.value}`} />
                    <span>trying again every 5 s; what is shown is as it was then</span>
                </p>
            )}
            {here && <Leader of={here} />}
        </header>
    );
}
