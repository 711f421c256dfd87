// SPDX-License-Identifier: PostgreSQL
// Of what pages could show, what the server answers so far: what it does not is neither asked for nor offered.
const served = new Set(['overview', 'tiles', 'jobs', 'runs', 'views', 'graph', 'alerts', 'history', 'doctor', 'why']);

export const serves = (what: string) => served.has(what);
/** The path, or none. */
export const ifServed = (what: string, path: string) => (serves(what) ? path : '');
