// Shortcuts: single letters, where nothing is being typed, and only those that the view in sight has.
import { useLayoutEffect } from "preact/hooks";
import { letters } from "./state.js";

/** @type {Map<string, { says: string, does: () => void }[]>} */
const bound = new Map();

/** What can be pressed now, for the list of keys. */
export const shown = () => [...bound.entries()].map(([key, stack]) => ({ key, says: stack[stack.length - 1].says }));

/** Have keys for as long as a component is there.
 * @param {Record<string, [says: string, does: () => void]>} keys @param {unknown[]} inputs what they depend on */
export function useKeys(keys, inputs) {
  // With the view itself, not after it was painted: whoever types fast means what is there already.
  useLayoutEffect(() => {
    const mine = Object.entries(keys).map(([key, [says, does]]) => ({ key, one: { says, does } }));
    for (const { key, one } of mine) bound.set(key, [...(bound.get(key) ?? []), one]);
    return () => {
      for (const { key, one } of mine) {
        const left = (bound.get(key) ?? []).filter((other) => other !== one);
        if (left.length) bound.set(key, left); else bound.delete(key);
      }
    };
  }, inputs);
}

/** @param {EventTarget | null} target */
const typing = (target) => target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  && !(target instanceof HTMLInputElement && /^(checkbox|radio|button)$/.test(target.type));

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !letters.value) return;
  if (typing(event.target) || document.querySelector("dialog[open]")) return;
  const stack = bound.get(event.key.length === 1 ? event.key.toLowerCase() : event.key);
  if (!stack) return;
  event.preventDefault();
  stack[stack.length - 1].does();
});
