// SPDX-License-Identifier: PostgreSQL
import { Act, Acted, useMayAct } from '../act';
import type { PageProps } from '../app';
import { Mark } from '../marks';
import { Ago, At, Empty, Reading, Title, Wide, Words } from '../parts';
import { useResource } from '../resource';
import { link } from '../route';
import type { Alert } from '../types';

function Subject({ database, alert }: { database: string; alert: Alert }) {
    const job = alert.labels?.job;
    return job ? (
        <a class="row" href={link(database, 'job', [job])}>
            {alert.subject ?? job}
        </a>
    ) : (
        <>{alert.subject ?? '–'}</>
    );
}

function AlertActs({ base, alert }: { base: string; alert: Alert }) {
    if (!useMayAct() || alert.state === 'resolved') return null;
    const title = `${alert.rule} ${alert.subject ?? ''}`;
    // All that tells this alert from others: not the whole rule is to be silent.
    const labels = Object.entries(alert.labels ?? {}).filter(([name]) => name !== 'severity' && name !== 'database');
    const matchers = { alertname: alert.rule, ...Object.fromEntries(labels) };
    const silence = { title: `Silence ${title}?`, path: `${base}/silences`, body: { matchers }, button: 'silence' };
    const path = `${base}/alert/${alert.alert}/ack`;
    return (
        <span class="acts">
            <Act order={{ title: `Look after ${title}?`, path, button: 'acknowledge' }}>acknowledge…</Act>
            <Act order={{ ...silence, until: 'must' }}>silence…</Act>
        </span>
    );
}

function Row({ database, base, alert }: { database: string; base: string; alert: Alert }) {
    return (
        <tr>
            <td>
                <Mark state={alert.severity} />
            </td>
            <td>
                <Subject database={database} alert={alert} />
            </td>
            <td class="words">
                <Words text={alert.summary} /> <AlertActs base={base} alert={alert} />
                {alert.acknowledged_by && (
                    <span class="quiet">
                        {' '}
                        {alert.acknowledged_by} looks after it
                        {alert.acknowledgement ? `: ${alert.acknowledgement}` : ''}
                    </span>
                )}
            </td>
            <th scope="row">{alert.rule}</th>
            <td>
                <Mark state={alert.silence != null ? 'silenced' : alert.state} />
            </td>
            <td class="number">
                <Ago at={alert.since} />
            </td>
            <td class="number">
                <At at={alert.until} />
            </td>
        </tr>
    );
}

function List({ database, base, alerts, all }: { database: string; base: string; alerts: Alert[]; all: boolean }) {
    if (alerts.length === 0) {
        return (
            <Empty hint="pgchime alerts rules lists what is looked for">
                {all ? 'No alert is on record.' : 'Nothing is wrong now.'}
            </Empty>
        );
    }
    return (
        <Wide label="Alerts">
            <table>
                <thead>
                    <tr>
                        <th scope="col">Severity</th>
                        <th scope="col">Of</th>
                        <th scope="col">What</th>
                        <th scope="col">Rule</th>
                        <th scope="col">State</th>
                        <th scope="col" class="number">
                            Since
                        </th>
                        <th scope="col" class="number">
                            Until
                        </th>
                    </tr>
                </thead>
                <tbody>
                    {alerts.map((alert) => (
                        <Row key={alert.alert} database={database} base={base} alert={alert} />
                    ))}
                </tbody>
            </table>
        </Wide>
    );
}

export function AlertsPage({ database, base, filter }: PageProps) {
    const all = filter.all === 'yes';
    const alerts = useResource<{ alerts: Alert[] }>(`${base}/alerts${all ? '?all=true' : ''}`);
    const choice = (
        <nav class="choice" aria-label="Which alerts">
            <a href={link(database, 'alerts')} aria-current={all ? undefined : 'true'}>
                now
            </a>
            <a href={link(database, 'alerts', [], { all: 'yes' })} aria-current={all ? 'true' : undefined}>
                also resolved
            </a>
        </nav>
    );
    return (
        <>
            <Title aside={choice}>Alerts</Title>
            <Acted database={database} base={base} />
            <Reading of={alerts}>
                {(data) => <List database={database} base={base} alerts={data.alerts} all={all} />}
            </Reading>
        </>
    );
}
