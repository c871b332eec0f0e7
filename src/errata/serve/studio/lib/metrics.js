// What `/metrics` says, in Prometheus' text format, and what is reckoned from it.

/** @typedef {{ labels: Record<string, string>, value: number }} Sample */

/** Every sample by its name. @param {string} text @returns {Map<string, Sample[]>} */
export function measured(text) {
  const found = new Map();
  for (const line of text.split("\n")) {
    const [, name, inside = "", value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
    if (!name) continue;
    const labels = Object.fromEntries([...inside.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, said]) => [key, said.replace(/\\(.)/g, "$1")]));
    found.set(name, [...(found.get(name) ?? []), { labels, value: Number(value.replace("+Inf", "Infinity")) }]);
  }
  return found;
}

/** A name's samples together; 0 where there is none.
 * @param {Map<string, Sample[]>} found @param {string} name @param {Record<string, string>} [labels] */
export function sum(found, name, labels = {}) {
  return (found.get(name) ?? []).filter((one) => fits(one, labels)).reduce((all, one) => all + one.value, 0);
}

/** @param {Sample} one @param {Record<string, string>} labels */
const fits = (one, labels) => Object.entries(labels).every(([name, value]) => one.labels[name] === value);

/** A quantile of a histogram, linear within a bucket, as PromQL's `histogram_quantile`; null where nothing was measured.
 * @param {Map<string, Sample[]>} found @param {string} name @param {number} share @param {Record<string, string>} [labels] */
export function quantile(found, name, share, labels = {}) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (const one of (found.get(`${name}_bucket`) ?? []).filter((each) => fits(each, labels))) {
    const le = Number(one.labels.le.replace("+Inf", "Infinity"));
    counts.set(le, (counts.get(le) ?? 0) + one.value);
  }
  const buckets = [...counts.entries()].sort(([a], [b]) => a - b);
  const total = buckets[buckets.length - 1]?.[1] ?? 0;
  if (!total) return null;
  const rank = share * total;
  let low = 0, under = 0;
  for (const [le, count] of buckets) {
    if (count >= rank) return le === Infinity ? low : low + (le - low) * ((rank - under) / Math.max(1, count - under));
    low = le; under = count;
  }
  return low;
}
