// node run.mjs [PERSON.json]: run the person, and write the watched quantities as a table (CSV); with --json everything there is.
import { pathToFileURL } from 'node:url';
import { Kernel, readJson } from './kernel.mjs';

const words = process.argv.slice(2), file = words.find((word) => !word.startsWith('--'));
const kernel = await Kernel.load();
const person = await readJson(file ? pathToFileURL(file) : new URL('person.json', import.meta.url));
const began = performance.now();
const found = kernel.run(person);
const taken = performance.now() - began;
if (words.includes('--json')) {
  console.log(JSON.stringify(found, (_, value) => (value instanceof Float64Array ? [...value] : value)));
} else {
  const { watched, shown } = kernel.about;
  console.log(['time (h)', ...watched.map((name) => `${name} (${shown[name].unit})`)].join(','));
  found.times.forEach((time, k) => console.log([time, ...watched.map((name) => found.values[name][k] * shown[name].factor)].join(',')));
}
console.error(`${person.end - (person.start ?? 0)} h in ${taken.toFixed(1)} ms`);
if (found.failure) {
  console.error(`failed at ${found.failure.time} h in ${found.failure.state}: ${found.failure.reason}`);
  process.exitCode = 1;
}
