// SPDX-License-Identifier: PostgreSQL
// Where the graph page's boxes and lines go.
import dagre from '@dagrejs/dagre';

export interface Box {
    id: string;
    width: number;
    height: number;
}
export interface Placed {
    boxes: { id: string; x: number; y: number }[];
    lines: { from: string; to: string; points: { x: number; y: number }[] }[];
    width: number;
    height: number;
}

export function place(boxes: Box[], lines: { from: string; to: string }[]): Placed {
    const graph = new dagre.graphlib.Graph();
    graph.setGraph({ rankdir: 'LR', nodesep: 14, ranksep: 56, marginx: 4, marginy: 4 });
    graph.setDefaultEdgeLabel(() => ({}));
    for (const { id, width, height } of boxes) graph.setNode(id, { width, height });
    for (const { from, to } of lines) graph.setEdge(from, to);
    dagre.layout(graph);
    const { width = 0, height = 0 } = graph.graph();
    return {
        boxes: graph.nodes().map((id) => ({ id, x: graph.node(id).x, y: graph.node(id).y })),
        lines: graph.edges().map((edge) => ({ from: edge.v, to: edge.w, points: graph.edge(edge).points ?? [] })),
        width,
        height,
    };
}
