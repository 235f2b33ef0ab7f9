import { asFailure, type CallFailed, isAborted } from "./answer";
import { createStore, type Store } from "./store";

/** One page of a long list. */
export interface RowPage<T> {
  total: number;
  rows: readonly T[];
}

/** The rows that are loaded; `version` changes with each page. */
export interface PagedState {
  status: "loading" | "ready" | "error";
  total: number;
  version: number;
  error: CallFailed | null;
}

/** Loads a long list in pages, those in view first. */
export class PagedRows<T> {
  readonly state: Store<PagedState> = createStore<PagedState>({ status: "loading", total: 0, version: 0, error: null });
  private readonly rows = new Map<number, T>();
  private readonly asked = new Set<number>();
  private readonly aborter = new AbortController();
  private wanted = { first: 0, end: 1 };
  private running = 0;

  /**
   * @param load fetches rows from an offset; its signal ends the call when the list is no longer shown
   * @param pageSize rows of a page
   */
  constructor(
    private readonly load: (offset: number, limit: number, signal: AbortSignal) => Promise<RowPage<T>>,
    private readonly pageSize = 200,
  ) {}

  get(index: number): T | undefined {
    return this.rows.get(index);
  }

  /** Load the pages of the rows from `first` up to but without `end`, unless they are there or on their way. */
  want(first: number, end: number): void {
    this.wanted = { first, end };
    this.next();
  }

  /** Ask again for the pages that failed. */
  retry(): void {
    this.update({ status: this.rows.size ? "ready" : "loading", error: null });
    this.next();
  }

  /** End all calls; nothing changes any more. */
  close(): void {
    this.aborter.abort();
  }

  private next(): void {
    if (this.state.get().error || this.aborter.signal.aborted) return;
    const { first, end } = this.wanted;
    for (let page = Math.floor(first / this.pageSize); page * this.pageSize < end; page++) {
      if (this.running >= MAX_RUNNING) return;
      if (!this.asked.has(page)) void this.loadPage(page);
    }
  }

  private async loadPage(page: number): Promise<void> {
    this.asked.add(page);
    this.running++;
    try {
      await this.fillPage(page);
    } catch (error) {
      this.asked.delete(page);
      if (isAborted(error) || this.aborter.signal.aborted) return;
      this.update({ status: "error", error: asFailure(error) });
    } finally {
      this.running--;
    }
    this.next();
  }

  /** Load the rows of a page that are not there. The server may give fewer than asked for, if they are long. */
  private async fillPage(page: number): Promise<void> {
    const end = (page + 1) * this.pageSize;
    let at = page * this.pageSize;
    while (this.rows.has(at)) at++;
    while (at < end) {
      const { total, rows } = await this.load(at, end - at, this.aborter.signal);
      if (this.aborter.signal.aborted) return;
      for (const row of rows) this.rows.set(at++, row);
      this.update({ status: "ready", total });
      if (!rows.length || at >= total) return;
    }
  }

  private update(changes: Partial<PagedState>): void {
    const before = this.state.get();
    this.state.set({ ...before, ...changes, version: before.version + 1 });
  }
}

const MAX_RUNNING = 2; // calls at the same time: more would not be faster, and they all end in one server
