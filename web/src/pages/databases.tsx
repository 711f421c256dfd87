// SPDX-License-Identifier: PostgreSQL
// Several databases: a card for each; one that is away does not hide the others.
import { count } from '../clock';
import { Mark } from '../marks';
import { Due, Figure, Figures, Title } from '../parts';
import { link } from '../route';
import type { Database } from '../types';

const stateOf = (it: Database) => (!it.reachable ? 'away' : !it.leader ? 'unled' : it.problem ? 'warn' : 'ok');

function Card({ of }: { of: Database }) {
    const state = stateOf(of);
    return (
        <article class="card">
            <h2>
                <a href={link(of.database)}>{of.database}</a>
            </h2>
            <p>
                <Mark state={state} word={state === 'ok' ? 'all well' : undefined} /> <span>{of.problem}</span>
            </p>
            {of.reachable && (
                <Figures>
                    <Figure name="jobs" value={count(of.active_jobs)} />
                    <Figure name="running" value={count(of.live_runs)} />
                    <Figure name="failing" value={count(of.failing_jobs)} tone={of.failing_jobs ? 'bad' : ''} />
                    <Figure name="next" value={<Due at={of.next_slot} />} />
                </Figures>
            )}
        </article>
    );
}

export function DatabasesPage({ databases }: { databases: Database[] }) {
    return (
        <>
            <Title>Databases</Title>
            <div class="cards">
                {databases.map((it) => (
                    <Card key={it.database} of={it} />
                ))}
            </div>
        </>
    );
}
