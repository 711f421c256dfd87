// SPDX-License-Identifier: PostgreSQL
import type { PageProps } from '../app';
import { Mark, toneOf } from '../marks';
import { Copy, Reading, Section, Title, Words } from '../parts';
import { useResource } from '../resource';
import type { Finding } from '../types';

function One({ of }: { of: Finding }) {
    return (
        <li class={`finding ${toneOf(of.state)}`}>
            <Mark state={of.state} word={of.id} />
            <p>
                <Words text={of.finding} />
            </p>
            <p class="hint">{of.why}</p>
            {of.hint && (
                <p class="hint">
                    {of.hint} <Copy text={of.hint} />
                </p>
            )}
        </li>
    );
}

function List({ findings }: { findings: Finding[] }) {
    const amiss = findings.filter((it) => it.state !== 'ok');
    const well = findings.filter((it) => it.state === 'ok');
    return (
        <>
            <Section title={amiss.length > 0 ? 'To be mended' : 'Nothing to be mended'}>
                <ul class="findings">
                    {amiss.map((it) => (
                        <One key={it.id + it.finding} of={it} />
                    ))}
                </ul>
            </Section>
            <Section title="Well">
                <ul class="findings">
                    {well.map((it) => (
                        <One key={it.id + it.finding} of={it} />
                    ))}
                </ul>
            </Section>
        </>
    );
}

export function DoctorPage({ base }: PageProps) {
    const findings = useResource<{ findings: Finding[] }>(`${base}/doctor`, 15000);
    return (
        <>
            <Title>Doctor</Title>
            <Reading of={findings}>{(data) => <List findings={data.findings} />}</Reading>
        </>
    );
}
