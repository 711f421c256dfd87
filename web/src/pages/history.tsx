// SPDX-License-Identifier: PostgreSQL
// Who led, what was missed while nobody did, what was lost, and what people did.
import type { PageProps } from '../app';
import { count, spanText } from '../clock';
import { now } from '../clock';
import { Mark } from '../marks';
import { At, Empty, Reading, Section, Title, Wide } from '../parts';
import { useResource } from '../resource';
import { link } from '../route';
import { RunTable } from '../run_table';
import type { Action, Leadership, Run } from '../types';

interface History {
    leaderships: Leadership[];
    actions: Action[];
}

const endOf = (it: Leadership) => (it.until ? Date.parse(it.until) : now.value);

function Bars({ list }: { list: Leadership[] }) {
    const from = Math.min(...list.map((it) => Date.parse(it.since)));
    const share = (ms: number) => `${(100 * ms) / Math.max(1, now.value - from)}%`;
    const label = `${list.length} leaderships since ${new Date(from).toISOString()}`;
    return (
        <svg class="leaderships" width="100%" height="22" role="img" aria-label={label}>
            <title>{label}</title>
            <rect class="gap" width="100%" height="22" />
            {list.map((it) => (
                <rect
                    key={it.epoch}
                    class="led"
                    x={share(Date.parse(it.since) - from)}
                    width={share(Math.max(0, endOf(it) - Date.parse(it.since)))}
                    height="22"
                >
                    <title>{`${it.instance}, epoch ${it.epoch}`}</title>
                </rect>
            ))}
        </svg>
    );
}

/** Between its end and the next one's beginning, or now. */
function Gap({ of }: { of: Leadership }) {
    if (of.leads) return <Mark state="leads" word="leads" />;
    const until = of.next_since ? Date.parse(of.next_since) : now.value;
    const ms = until - endOf(of);
    if (ms < 1000) return <span class="quiet">none</span>;
    return (
        <span class={of.next_since ? '' : 'bad-text'}>
            {spanText(ms)}
            {!of.next_since && ', still'}
        </span>
    );
}

function Leaderships({ list }: { list: Leadership[] }) {
    return (
        <>
            <Bars list={list} />
            <Wide label="Leaderships">
                <table>
                    <thead>
                        <tr>
                            <th scope="col" class="number">
                                Epoch
                            </th>
                            <th scope="col">Leader</th>
                            <th scope="col">Since</th>
                            <th scope="col">Until</th>
                            <th scope="col">Then nobody led for</th>
                            <th scope="col">Missed</th>
                        </tr>
                    </thead>
                    <tbody>
                        {list.map((it) => (
                            <tr key={it.epoch}>
                                <th scope="row" class="number">
                                    {it.epoch}
                                </th>
                                <td>{it.instance}</td>
                                <td>
                                    <At at={it.since} />
                                </td>
                                <td>
                                    <At at={it.until} />
                                    {it.until && !it.resigned && <span class="quiet"> last heard</span>}
                                </td>
                                <td>
                                    <Gap of={it} />
                                </td>
                                <td>
                                    {it.missed_slots
                                        ? `${count(it.missed_slots)} slots of ${count(it.missed_jobs)} jobs`
                                        : '–'}
                                </td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            </Wide>
        </>
    );
}

function Actions({ list }: { list: Action[] }) {
    if (list.length === 0) return <p class="quiet">Nobody did anything from this page.</p>;
    return (
            <Wide label="Actions">
                <table>
                    <thead>
                        <tr>
                            <th scope="col">When</th>
                            <th scope="col">Who</th>
                            <th scope="col">What</th>
                            <th scope="col">Why</th>
                            <th scope="col">Outcome</th>
                        </tr>
                    </thead>
                    <tbody>
                        {list.map((it) => (
                            <tr key={it.action}>
                                <th scope="row">
                                    <At at={it.at} />
                                </th>
                                <td>
                                    {it.actor} <span class="quiet">by {it.login}</span>
                                </td>
                                <td>
                                    {it.verb} {it.about}
                                </td>
                                <td class="words">{it.reason}</td>
                                <td>{it.outcome}</td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            </Wide>
    );
}

const LEADERSHIPS = 100;
const ACTIONS = 200;
const LOST = 100;

/** Where each list goes on: the latest of these instants, so that none of them leaves anything out. */
function earlier(history: History, lost: Run[]): string {
    const ends = [
        history.leaderships.length >= LEADERSHIPS ? history.leaderships[LEADERSHIPS - 1].since : '',
        history.actions.length >= ACTIONS ? history.actions[ACTIONS - 1].at : '',
        lost.length >= LOST ? (lost[LOST - 1].slot ?? '') : '',
    ];
    return ends.sort().at(-1) ?? '';
}

export function HistoryPage({ database, base, filter }: PageProps) {
    const before = filter.before ? encodeURIComponent(filter.before) : '';
    const history = useResource<History>(`${base}/history${before && `?before=${before}`}`);
    const lost = useResource<{ runs: Run[] }>(
        `${base}/runs?limit=${LOST}&state=missed,lost${before && `&until=${before}`}`,
    );
    return (
        <>
            <Title>History</Title>
            <Reading of={history}>
                {(data) => {
                    const more = earlier(data, lost.data.value?.runs ?? []);
                    return (
                        <>
                            <Section title="Who led">
                                {data.leaderships.length > 0 ? (
                                    <Leaderships list={data.leaderships} />
                                ) : (
                                    <Empty hint="pgchime serve">Nobody has led this database yet.</Empty>
                                )}
                            </Section>
                            <Section title="Missed and lost">
                                <Reading of={lost}>
                                    {({ runs }) =>
                                        runs.length > 0 ? (
                                            <RunTable database={database} runs={runs} named />
                                        ) : (
                                            <p class="quiet">No slot was missed and no run was lost.</p>
                                        )
                                    }
                                </Reading>
                            </Section>
                            <Section title="What people did">
                                <Actions list={data.actions} />
                            </Section>
                            <p class="below">
                                {before && <a href={link(database, 'history')}>the latest</a>}{' '}
                                {more && <a href={link(database, 'history', [], { before: more })}>what was before</a>}
                            </p>
                        </>
                    );
                }}
            </Reading>
        </>
    );
}
