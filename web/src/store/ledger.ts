/**
 * A bounded list of rows, each known by its key, newest first: alerts, signals, gaps.
 *
 * takes  rows in any order, again and again
 * gives  each row once, the last version of it, at most `rows_max` of them (the oldest go)
 * never  tells the same news twice: `add` returns only rows whose key was not known
 */

export class Ledger<Row> {
  readonly #key: (row: Row) => string;
  readonly #at: (row: Row) => number;
  readonly #rows_max: number;
  #byKey = new Map<string, Row>();

  constructor(key: (row: Row) => string, at: (row: Row) => number, rows_max: number) {
    this.#key = key;
    this.#at = at;
    this.#rows_max = rows_max;
  }

  add(rows: readonly Row[]): readonly Row[] {
    const fresh: Row[] = [];
    for (const row of rows) {
      const key = this.#key(row);
      if (!this.#byKey.has(key)) fresh.push(row);
      this.#byKey.set(key, row);
    }
    const excess = this.#byKey.size - this.#rows_max;
    if (excess > 0) {
      const oldest = [...this.#byKey].sort((a, b) => this.#at(a[1]) - this.#at(b[1]));
      for (const [key] of oldest.slice(0, excess)) this.#byKey.delete(key);
    }
    return fresh;
  }

  clear(): void {
    this.#byKey.clear();
  }

  newestFirst(): readonly Row[] {
    return [...this.#byKey.values()].sort((a, b) => this.#at(b) - this.#at(a));
  }
}
