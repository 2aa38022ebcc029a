/**
 * Takes the addresses out of package-lock.json after `npm install`: versions and hashes stay.
 *
 * takes  package-lock.json
 * gives  the same without `resolved` and `funding`; a lock must not say where things come from
 */

import { readFileSync, writeFileSync } from 'node:fs';

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
for (const entry of Object.values(lock.packages)) {
  delete entry.resolved;
  delete entry.funding;
}
writeFileSync('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`);
