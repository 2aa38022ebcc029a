/**
 * Which room may know which: wire -> store -> charts -> panels, for components too.
 *
 * takes  every source file under src/
 * gives  exit 1 with one line for each import against the stream, and for each file over its size
 * why    `tsc -b` holds the same rule by project references, but only for .ts files
 */

import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, normalize, sep } from 'node:path';

const ROOMS = ['wire', 'store', 'charts', 'panels'];
const LINES_MAX = 400;
const COLUMNS_MAX = 100;

const complaints = [];
for (const entry of readdirSync('src', { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !/\.(ts|svelte|css)$/.test(entry.name)) continue;
  const path = join(entry.parentPath, entry.name);
  const text = readFileSync(path, 'utf8');
  const lines = text.split('\n');
  if (lines.length > LINES_MAX) complaints.push(`${path}: ${lines.length} lines; split it`);
  if (!/^\s*(\/\*|<!--)/.test(text)) complaints.push(`${path}: opens without saying what it is`);
  lines.forEach((line, at) => {
    const sentence = line.includes('{#each') || line.includes('d="M');
    if (line.length > COLUMNS_MAX && !sentence) complaints.push(`${path}:${at + 1}: line too long`);
  });
  const room = ROOMS.indexOf(path.split(sep)[1]);
  if (room < 0) continue;
  for (const [, target] of text.matchAll(/from\s+'(\.[^']+)'/g)) {
    const known = ROOMS.indexOf(normalize(join(dirname(path), target)).split(sep)[1]);
    if (known > room) complaints.push(`${path}: ${ROOMS[room]} may not know ${ROOMS[known]}`);
  }
}
if (complaints.length) {
  console.error(complaints.join('\n'));
  process.exit(1);
}
