// SPDX-License-Identifier: PostgreSQL
// What the API answers: the same keys as the command line's `-o json`. Instants are ISO texts in UTC.
type Instant = string | null;

export interface Database {
    database: string;
    reachable: boolean;
    /** For who may see tiles alone, and nothing of what follows. */
    led?: boolean;
    leader: string | null;
    leader_since: Instant;
    epoch: number | null;
    heartbeat_age_ms: number | null;
    followers: string | string[] | null;
    jobs: number | null;
    active_jobs: number | null;
    live_runs: number | null;
    failing_jobs: number | null;
    suspended_jobs: number | null;
    late_jobs: number | null;
    requests: number | null;
    views: number | null;
    database_now: Instant;
    /** Of a standby: since what it has last was committed. */
    standby_behind_ms: number | null;
    next_slot: Instant;
    problem: string | null;
}

export interface Job {
    name: string;
    database: string;
    schedule: string | null;
    next_slot: Instant;
    state: string;
    last_started_at: Instant;
    last_duration_ms: number | null;
    consecutive_failures: number | null;
    active: boolean;
    origin: string;
    plugin: string | null;
    owner: string;
    last_state: string | null;
    last_slot: Instant;
    last_succeeded_at: Instant;
    after: string[] | null;
    /** The first 20 of those that come after it. */
    downstream: string[] | null;
    on: string[] | null;
    views: string[] | null;
    command: string | null;
    options: Record<string, string> | null;
    version: number;
    updated_at: Instant;
}

export interface Run {
    run_id: number | null;
    job: string;
    database: string;
    slot: Instant;
    attempt: number | null;
    state: string;
    trigger: string | null;
    started_at: Instant;
    finished_at: Instant;
    duration_ms: number | null;
    rows: number | null;
    sqlstate: string | null;
    message: string | null;
    reason: string | null;
    epoch: number | null;
    instance: string | null;
    slots: number | null;
}

export interface Attempt {
    attempt: number;
    state: string;
    started_at: Instant;
    finished_at: Instant;
    duration_ms: number | null;
    sqlstate: string | null;
    message: string | null;
    pid: number | null;
    epoch: number | null;
    instance: string | null;
}

export interface Wait {
    wait: string;
    for: string | null;
    since: Instant;
    until: Instant;
    length_ms: number | null;
}

/** A run of a job before or after it; all null but the job: there is none. */
export interface Neighbour {
    job: string;
    run_id: number | null;
    trigger: string | null;
    slot: Instant;
    state: string | null;
    started_at: Instant;
    finished_at: Instant;
    reason: string | null;
}

export interface Definition {
    version: number;
    since: Instant;
    until: Instant;
    /** False: it is the present one, and the run may have run another. */
    ran: boolean;
    owner: string;
    command: string | null;
}

export interface RunDetail {
    runs: Run[];
    attempts: Attempt[];
    waits: Wait[];
    upstreams: Neighbour[];
    downstreams: Neighbour[];
    definitions: Definition[];
}

export interface Day {
    day: string;
    runs: number;
    succeeded: number;
    failed: number;
    skipped: number;
    missed: number;
    busy_ms: number;
    p50_ms: number | null;
    p95_ms: number | null;
    max_ms: number | null;
    late_p95_ms: number | null;
}

export interface Version {
    version: number;
    since: Instant;
    until: Instant;
    owner: string;
    database: string | null;
    command: string | null;
}

export interface Why {
    job: string;
    state: string;
    now: string | null;
    failing: string | null;
    problem: string | null;
    last_decision: string | null;
    last_state: string | null;
    missed: string | null;
}

export interface Next {
    job: string;
    timezone: string | null;
    slots: string[];
    notes?: { at: string; slot: string; text: string }[];
}

export interface View {
    relation: string;
    schema: string;
    plugin: string;
    plugin_state: string;
    mode: string;
    method: string | null;
    keys: number | null;
    rows: number | null;
    refreshed_at: Instant;
    freshness: string | null;
    behind_ms: number | null;
    target_lag_ms: number | null;
    target_lag_from: string | null;
    warn_after_ms: number | null;
    error_after_ms: number | null;
    pending: boolean | null;
    verified_at: Instant;
    changed_at: Instant;
    last_duration_ms: number | null;
    inserted: number | null;
    updated: number | null;
    deleted: number | null;
    rejected: number | null;
    refreshes: number | null;
    bytes: number | null;
    reason: string | null;
    full_reason: string | null;
}

export interface Tile {
    plugin: string;
    tile: number;
    title: string;
    draw: string;
    note: string | null;
    has_choices: boolean;
    bound_ms: number | null;
}

export interface TilePlugin {
    plugin: string;
    summary: string;
    state: string;
    freshness: string | null;
    behind_ms: number | null;
    changed_at: Instant;
}

export type Cell = number | string | boolean | null;

export interface TileColumn {
    name: string;
    type: 'number' | 'instant' | 'boolean' | 'text';
}

export interface TileRows extends Tile {
    state: string | null;
    warn: string | null;
    critical: string | null;
    choice: string | null;
    choices: { value: string; label: string | null }[] | null;
    columns: TileColumn[];
    rows: Cell[][];
    more: boolean;
}

export interface Alert {
    alert: number;
    state: string;
    severity: string;
    rule: string;
    subject: string | null;
    since: Instant;
    until: Instant;
    silence: number | null;
    acknowledged_by: string | null;
    acknowledgement: string | null;
    value: string | null;
    summary: string | null;
    labels: Record<string, string> | null;
}

export interface Finding {
    id: string;
    state: string;
    finding: string;
    why: string;
    hint: string | null;
}

export interface GraphJob {
    job: string;
    schedule: string | null;
    after: string[];
    join: boolean;
    active: boolean;
    plugin: string | null;
    views: string[];
}

export interface Graph {
    jobs: GraphJob[];
    edges: { from: string; to: string }[];
}

export interface Visitor {
    who: string;
    role: string;
    actions: boolean;
}

export interface Action {
    action: number;
    at: string;
    actor: string;
    login: string;
    verb: string;
    about: string;
    kind: string | null;
    slot: Instant;
    run_id: number | null;
    reason: string;
    request_id: number | null;
    outcome: string;
}

export interface Leadership {
    epoch: number;
    instance: string;
    since: string;
    until: Instant;
    resigned: boolean;
    leads: boolean;
    next_since: Instant;
    missed_slots: number | null;
    missed_jobs: number | null;
}

export interface Crowd {
    at: string;
    jobs: number;
    sessions: number | null;
    work_ms: number;
    /** How much later than the instant the last of them starts; null: nobody knows. */
    late_ms: number | null;
}
