// SPDX-License-Identifier: PostgreSQL
// Keys for those who want them; they can be switched off.
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { readAgain } from './resource';
import { paused } from './stream';
import { go, link, route } from './route';

export const helpOpen = signal(false);
const on = signal(localStorage.getItem('keys') !== 'off');
const list: [string, string][] = [
    ['/', 'search'],
    ['g then o t j r v g a h d', 'overview, tiles, jobs, runs, views, graph, alerts, history, doctor'],
    ['j, k', 'next row, row before'],
    ['Enter', 'opens the row'],
    ['.', 'pauses updates, or goes on'],
    ['?', 'this list'],
];
const places: Record<string, string> = {
    o: '',
    t: 'tiles',
    j: 'jobs',
    r: 'runs',
    v: 'views',
    g: 'graph',
    a: 'alerts',
    h: 'history',
    d: 'doctor',
};
let going = false;

/** Rows are moved through by their links. */
function step(by: number): void {
    const rows = [...document.querySelectorAll<HTMLElement>('main tbody a.row')];
    const at = rows.indexOf(document.activeElement as HTMLElement);
    rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + by))]?.focus();
}

function press(key: string): boolean {
    if (going) {
        going = false;
        if (!(key in places)) return false;
        go(link(route.value.database, places[key]));
        return true;
    }
    switch (key) {
        case '/':
            document.querySelector<HTMLElement>('input[type=search]')?.focus();
            return true;
        case 'g':
            going = true;
            return true;
        case 'j':
            step(1);
            return true;
        case 'k':
            step(-1);
            return true;
        case '.':
            paused.value = !paused.value;
            if (!paused.value) readAgain();
            return true;
        case '?':
            helpOpen.value = true;
            return true;
        default:
            return false;
    }
}

addEventListener('keydown', (event) => {
    const target = event.target as HTMLElement;
    if (!on.value || event.ctrlKey || event.metaKey || event.altKey || helpOpen.value) return;
    if (target.closest('input, select, textarea')) return;
    if (press(event.key)) event.preventDefault();
});

export function Help() {
    const dialog = useRef<HTMLDialogElement>(null);
    useEffect(() => {
        if (helpOpen.value) dialog.current?.showModal();
    }, [helpOpen.value]);
    if (!helpOpen.value) return null;
    return (
        <dialog
            ref={dialog}
            aria-labelledby="keys"
            onClose={() => {
                helpOpen.value = false;
            }}
        >
            <h2 id="keys">Keys</h2>
            <dl class="keys">
                {list.map(([key, what]) => (
                    <div key={key}>
                        <dt>
                            <kbd>{key}</kbd>
                        </dt>
                        <dd>{what}</dd>
                    </div>
                ))}
            </dl>
            <label>
                <input
                    type="checkbox"
                    checked={on.value}
                    onChange={(event) => {
                        on.value = event.currentTarget.checked;
                        localStorage.setItem('keys', on.value ? 'on' : 'off');
                    }}
                />{' '}
                keys are on
            </label>
            <p>
                <button type="button" onClick={() => dialog.current?.close()}>
                    close
                </button>
            </p>
        </dialog>
    );
}
