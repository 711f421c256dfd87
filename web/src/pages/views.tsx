// SPDX-License-Identifier: PostgreSQL
// Freshness: how far each view is behind what it reads, and what a refresh costs.
import type { PageProps } from '../app';
import { bytesText, count, lengthText } from '../clock';
import { Mark } from '../marks';
import { Ago, At, Empty, Figure, Figures, Length, Reading, Section, Title, Wide } from '../parts';
import { useResource } from '../resource';
import { link, setFilter } from '../route';
import type { View } from '../types';

const allowed = (view: View) => view.target_lag_ms ?? view.warn_after_ms ?? view.error_after_ms;
const howText = (view: View) => (view.method ?? view.mode) + (view.full_reason ? `: ${view.full_reason}` : '');

function Behind({ view }: { view: View }) {
    const limit = allowed(view);
    return (
        <>
            <Length ms={view.behind_ms} />
            {limit != null && <span class="quiet"> / {lengthText(limit)}</span>}
        </>
    );
}

function Row({ database, view }: { database: string; view: View }) {
    return (
        <tr>
            <th scope="row">
                <a class="row" href={link(database, 'view', [view.schema, view.relation])}>
                    {view.relation}
                </a>
            </th>
            <td>
                <Mark state={view.freshness} />
            </td>
            <td class="number">
                <Behind view={view} />
            </td>
            <td class="message how" title={howText(view)}>
                {howText(view)}
            </td>
            <td class="number">
                <Ago at={view.refreshed_at} none="never" />
            </td>
            <td class="number">
                <Length ms={view.last_duration_ms} />
            </td>
            <td class="number">{count(view.rows)}</td>
            <td class="number">
                <Ago at={view.verified_at} none="never" />
            </td>
        </tr>
    );
}

function List({ database, views, q }: { database: string; views: View[]; q: string }) {
    if (views.length === 0) {
        return (
            <Empty hint="pgchime plugins new NAME makes a folder with one to begin with">
                No plugin keeps a view here yet.
            </Empty>
        );
    }
    const found = views.filter((view) =>
        `${view.schema}.${view.relation} ${view.plugin}`.toLowerCase().includes(q.toLowerCase()),
    );
    return (
        <>
            <div class="filter" role="search">
                <label>
                    <span class="label">name or plugin</span>
                    <input
                        type="search"
                        value={q}
                        placeholder="any"
                        onInput={(event) => setFilter({ q: event.currentTarget.value })}
                    />
                </label>
            </div>
            <p class="quiet" role="status">
                {found.length} of {views.length} views
            </p>
            <Wide label="Views">
                <table class="named">
                    <thead>
                        <tr>
                            <th scope="col">View</th>
                            <th scope="col">Fresh</th>
                            <th scope="col" class="number">
                                Behind / allowed
                            </th>
                            <th scope="col">How</th>
                            <th scope="col" class="number">
                                Refreshed
                            </th>
                            <th scope="col" class="number">
                                Took
                            </th>
                            <th scope="col" class="number">
                                Rows
                            </th>
                            <th scope="col" class="number">
                                Verified
                            </th>
                        </tr>
                    </thead>
                    <tbody>
                        {found.map((view) => (
                            <Row key={`${view.schema}.${view.relation}`} database={database} view={view} />
                        ))}
                    </tbody>
                </table>
            </Wide>
        </>
    );
}

export function ViewsPage({ database, base, filter }: PageProps) {
    const views = useResource<{ views: View[] }>(`${base}/views`, 5000);
    return (
        <>
            <Title>Views</Title>
            <Reading of={views}>{(data) => <List database={database} views={data.views} q={filter.q ?? ''} />}</Reading>
        </>
    );
}

function ViewShown({ view }: { view: View }) {
    return (
        <>
            <Figures>
                <Figure name="freshness" value={<Mark state={view.freshness} />} />
                <Figure name="behind / allowed" value={<Behind view={view} />} />
                <Figure name="refreshed" value={<Ago at={view.refreshed_at} none="never" />} />
                <Figure name="took" value={<Length ms={view.last_duration_ms} />} />
                <Figure name="rows" value={count(view.rows)} />
            </Figures>
            {view.reason && (
                <div class="why">
                    <p>{view.reason}</p>
                </div>
            )}
            {view.full_reason && (
                <div class="notice warn">
                    <h2>Each refresh computes all of it</h2>
                    <p>{view.full_reason}</p>
                </div>
            )}
            <div class="columns">
                <Section title="The last refresh">
                    <dl class="facts">
                        <dt>how</dt>
                        <dd>
                            {view.method ?? view.mode}
                            {view.keys != null && `, ${count(view.keys)} groups`}
                        </dd>
                        <dt>inserted</dt>
                        <dd>{count(view.inserted)}</dd>
                        <dt>updated</dt>
                        <dd>{count(view.updated)}</dd>
                        <dt>deleted</dt>
                        <dd>{count(view.deleted)}</dd>
                        <dt>source values rejected</dt>
                        <dd>{count(view.rejected)}</dd>
                        <dt>last change</dt>
                        <dd>
                            <At at={view.changed_at} none="none yet" />
                        </dd>
                    </dl>
                </Section>
                <Section title="What it is">
                    <dl class="facts">
                        <dt>plugin</dt>
                        <dd>{view.plugin}</dd>
                        <dt>size</dt>
                        <dd>{bytesText(view.bytes)}</dd>
                        <dt>refreshes</dt>
                        <dd>{count(view.refreshes)}</dd>
                        <dt>warns after</dt>
                        <dd>
                            <Length ms={view.warn_after_ms} />
                        </dd>
                        <dt>stale after</dt>
                        <dd>
                            <Length ms={view.error_after_ms} />
                        </dd>
                        <dt>verified</dt>
                        <dd>
                            <At at={view.verified_at} none="never" />
                        </dd>
                    </dl>
                </Section>
            </div>
        </>
    );
}

export function ViewPage({ base, args: [schema, relation] }: PageProps) {
    const views = useResource<{ views: View[] }>(`${base}/views`, 5000);
    return (
        <>
            <Title aside={<span class="quiet">{schema}</span>}>{relation}</Title>
            <Reading of={views}>
                {(data) => {
                    const view = data.views.find((it) => it.schema === schema && it.relation === relation);
                    return view ? <ViewShown view={view} /> : <Empty>There is no such view.</Empty>;
                }}
            </Reading>
        </>
    );
}
