/**
 * The page's weight: everything that a first visit fetches, gzipped.
 *
 * takes  the built page in src/candlewick/static
 * gives  one line a file and the sum; exit 1 over BUDGET_BYTES, or if anything is inline
 */

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const BUILT = join(import.meta.dirname, '../../src/candlewick/static');
const BUDGET_BYTES = 200_000;

let total = 0;
for (const entry of readdirSync(BUILT, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const path = join(entry.parentPath, entry.name);
  const bytes = gzipSync(readFileSync(path), { level: 9 }).length;
  total += bytes;
  console.log(`${String(bytes).padStart(8)}  ${path.slice(BUILT.length + 1)}`);
}
console.log(`${String(total).padStart(8)}  in all, of ${BUDGET_BYTES} bytes gzipped`);
const page = readFileSync(join(BUILT, 'index.html'), 'utf8');
const inline = /<style|\sstyle=|<script(?![^>]*\ssrc=)/.test(page);
if (inline) console.error('index.html has an inline script or style; the page would be refused');
if (total > BUDGET_BYTES) console.error('over the budget');
process.exit(inline || total > BUDGET_BYTES ? 1 : 0);
