// SPDX-License-Identifier: PostgreSQL
// Names and messages are other people's: what turns the direction of text around is shown as what it is, or "report"
// could be read where "troper" stands. Links, and what is copied, have the text itself.
import { options, type VNode } from 'preact';

const TURNS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

export const visible = (text: string) =>
    text.replace(TURNS, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`);

const ofChild = (child: unknown): unknown =>
    typeof child === 'string' ? visible(child) : Array.isArray(child) ? child.map(ofChild) : child;

const before = options.vnode;
options.vnode = (vnode: VNode) => {
    const props = vnode.props as { children?: unknown } | undefined;
    if (typeof vnode.type === 'string' && props?.children !== undefined) props.children = ofChild(props.children);
    before?.(vnode);
};
