// SPDX-License-Identifier: PostgreSQL
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';

/** How wide the place of a chart is: it is drawn anew when that changes, so letters keep their size. */
export function useWidth() {
    const place = useRef<HTMLDivElement>(null);
    const width = useSignal(0);
    useEffect(() => {
        if (!place.current) return undefined;
        const observer = new ResizeObserver(([entry]) => {
            width.value = Math.floor(entry.contentRect.width);
        });
        observer.observe(place.current);
        return () => observer.disconnect();
    }, []);
    return { place, width: width.value };
}
