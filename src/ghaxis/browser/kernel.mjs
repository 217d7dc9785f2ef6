// The kernel beside this file, for browsers and Node:
//
//     const kernel = await Kernel.load();
//     const { times, values, means, final, failure } = kernel.run({ end: 24, times: [0, 12, 24] });
//
// Research and education software, not a medical device: not for diagnosis, treatment, dosing or monitoring.

const SLACK = 64; // bytes; every array starts on such a boundary
const PAGE = 65536;

/** Index of the first element of a sorted array that `holds`, or its length. */
const first = (sorted, holds) => { const k = sorted.findIndex(holds); return k < 0 ? sorted.length : k; };

async function read(url) {
  if (url.protocol === 'file:') return (await import('node:fs/promises')).readFile(url);
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${answer.statusText}`);
  return answer.arrayBuffer();
}

export const readJson = async (url) => JSON.parse(new TextDecoder().decode(await read(url)));

export class Kernel {
  /** Read `kernel.json` and `kernel.wasm` of a folder (a URL that ends with a slash). */
  static async load(folder = new URL('.', import.meta.url)) {
    const [about, code] = await Promise.all([readJson(new URL('kernel.json', folder)), read(new URL('kernel.wasm', folder))]);
    return new Kernel(about, await WebAssembly.compile(code));
  }

  constructor(about, module) {
    Object.assign(this, { about, module });
    this.states = Object.keys(about.states);
    this.parameters = Object.keys(about.parameters);
  }

  /**
   * Run one person from `start` to `end` (hours). What is not given has the value of the description.
   *
   * parameters, levels: {name: value}. paths: [[time, parameter, value]], from then on. impulses: [[time, state, amount]], added; for a
   * state in `about.volumes` the amount is divided by that volume. At one moment outputs are taken first, then paths act, then impulses.
   * times: when the watched symbols are read. windows: [[from, to]] over which their exact means are formed.
   *
   * Returns values {name: Float64Array, one for each time}, means {name: Float64Array, one for each window}, final {state: level},
   * steps {accepted, rejected}, and failure: null, or {reason, time, state} (what comes after it is NaN).
   */
  run({ start = 0, end, times = [], windows = [], parameters = {}, levels = {}, paths = [], impulses = [], tolerances = {} }) {
    const { about } = this, watched = about.watched, count = watched.length;
    if (!(end > start)) throw new RangeError(`a run from ${start} to ${end} h has no length`);
    if (windows.some(([a, b]) => !(a >= start && b <= end && a < b))) throw new RangeError('windows must lie inside the run');
    const given = this.#merged('parameter', about.parameters, parameters);
    const initial = this.#merged('state', about.states, levels);
    const acts = this.#acts(start, end, given, paths, impulses);
    const order = times.map((_, k) => k).sort((a, b) => times[a] - times[b]);
    const asked = order.map((k) => times[k]);
    const edges = [...new Set(windows.flat())].sort((a, b) => a - b);
    const used = [...edges, Infinity].map((edge, k) => Number(windows.some(([a, b]) => k && a < edge && edge <= b)));
    const { relative, absolute, largest_step: largest } = { ...about.tolerances, ...tolerances };
    const numbers = {
      start, end, relative, absolute, largest: largest ?? Infinity, people: 1, times_count: times.length, edges_count: edges.length,
      first_time: first(asked, (t) => t >= start), first_edge: first(edges, (t) => t > start), watched_count: count,
      needed_count: about.needed.length, log_room: 0, watch: 0,
    };
    const whole = (list) => BigInt64Array.from(list, BigInt), real = (list) => Float64Array.from(list);
    const arrays = {
      ...Object.fromEntries(Object.entries(about.block).map(([name, size]) => [name, new Float64Array(size)])),
      next: whole([0]), levels: initial, given, act_bounds: whole([0, acts.length]), act_time: real([...acts.map((a) => a.time), 0]),
      act_where: whole([...acts.map((a) => a.where), 0]), act_value: real([...acts.map((a) => a.value), 0]),
      times: real([...asked, Infinity]), edges: real([...edges, Infinity]), used: real([...used, 0]), needed: whole([...about.needed, 0]),
      values: new Float64Array(times.length * count).fill(NaN), sums: new Float64Array(edges.length * count).fill(NaN),
      final: new Float64Array(initial.length).fill(NaN), counts: new Float64Array(2), outcome: whole([0, 0]), stopped: real([NaN]),
    };
    arrays.floor.fill(1); // of the rows that stand for no state
    const out = this.#call(numbers, arrays);
    const [why, where] = Array.from(out.outcome, Number);
    const value = new Float64Array(times.length * count);
    order.forEach((k, row) => value.set(out.values.subarray(row * count, (row + 1) * count), k * count));
    const mean = (m) => ([a, b]) => {
      const [from, to] = [edges.indexOf(a), edges.indexOf(b)];
      let sum = 0;
      for (let k = from + 1; k <= to; k++) sum += out.sums[k * count + m];
      return sum / (b - a);
    };
    return {
      times: real(times),
      values: Object.fromEntries(watched.map((name, m) => [name, value.filter((_, k) => k % count === m)])),
      means: Object.fromEntries(watched.map((name, m) => [name, real(windows.map(mean(m)))])),
      final: Object.fromEntries(this.states.map((name, k) => [name, out.final[k]])),
      steps: { accepted: out.counts[0], rejected: out.counts[1] },
      failure: why ? { reason: about.reasons[why], time: out.stopped[0], state: this.states[where] } : null,
    };
  }

  /** Lay out frame and arrays in a memory of their own, integrate, and read the arrays back: nothing of a run is left for the next. */
  #call(numbers, arrays) {
    const frame = this.about.frame, places = {};
    let room = 1024 + 8 * frame.length;
    for (const [name, array] of Object.entries(arrays)) {
      places[name] = room = Math.ceil(room / SLACK) * SLACK;
      room += array.byteLength;
    }
    const memory = new WebAssembly.Memory({ initial: Math.ceil(room / PAGE) });
    const view = new DataView(memory.buffer);
    for (const { name, type, offset } of frame) {
      if (type === 'double') view.setFloat64(1024 + offset, numbers[name], true);
      else view.setBigInt64(1024 + offset, BigInt(places[name] ?? numbers[name]), true);
    }
    const there = (array, name) => new array.constructor(memory.buffer, places[name], array.length);
    for (const [name, array] of Object.entries(arrays)) there(array, name).set(array);
    new WebAssembly.Instance(this.module, { env: { __linear_memory: memory } }).exports.integrate(1024);
    return Object.fromEntries(['values', 'sums', 'final', 'counts', 'outcome', 'stopped'].map((name) => [name, there(arrays[name], name)]));
  }

  #merged(what, defaults, given) {
    for (const name of Object.keys(given)) if (!Object.hasOwn(defaults, name)) throw new RangeError(`the model has no ${what} '${name}'`);
    return Float64Array.from(Object.entries(defaults), ([name, value]) => {
      if (!Number.isFinite(given[name] ?? value)) throw new RangeError(`${what} '${name}' has no value`);
      return given[name] ?? value;
    });
  }

  #acts(start, end, given, paths, impulses) {
    const place = (names, name, what) => {
      if (!names.includes(name)) throw new RangeError(`the model has no ${what} '${name}'`);
      return names.indexOf(name);
    };
    const size = (state) => (state in this.about.volumes ? given[this.parameters.indexOf(this.about.volumes[state])] : 1);
    return [
      ...paths.map(([time, name, value]) => ({ time, where: -1 - place(this.parameters, name, 'parameter'), value })),
      ...impulses.map(([time, name, amount]) => ({ time, where: place(this.states, name, 'state'), value: amount / size(name) })),
    ].filter(({ time }) => time >= start && time < end).sort((a, b) => a.time - b.time);
  }
}
