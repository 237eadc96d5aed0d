// One list that the server searches, sorts and cuts into pages: what is asked, and what stands on the page.
// An answer that comes after a newer question is thrown away. Must never ask at each key that is pressed.
import type { ApiError } from './api';
import type { Found } from './directory';
import { asApiError, errorText } from './errors';

/** Typing is over when no key came for this long. */
const TYPING_MS = 250;
export const PAGE = 50;

export type Order = 'asc' | 'desc';
export interface Question { search: string; sort: string; order: Order; offset: number; limit: number }

export class Listing<Answer extends Found<unknown>> {
  items = $state.raw<Answer['items'] | null>(null);
  answer = $state.raw<Answer | null>(null);
  found = $state(0);
  offset = $state(0);
  search = $state('');
  /** The words that the page shown was asked with. */
  shown = $state('');
  sort = $state('');
  order = $state<Order>('asc');
  busy = $state(false);
  #error = $state.raw<ApiError | null>(null);
  #asked = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ask: (q: Question) => Promise<Answer>;

  constructor(ask: (q: Question) => Promise<Answer>, sort: string, order: Order = 'asc') {
    this.#ask = ask;
    this.sort = sort;
    this.order = order;
  }

  get error(): string | undefined { return this.#error ? errorText(this.#error) : undefined; }
  get first(): number { return this.items?.length ? this.offset + 1 : 0; }
  get last(): number { return this.offset + (this.items?.length ?? 0); }

  /** Asks for the page as it is wanted now. */
  load = async (): Promise<void> => {
    clearTimeout(this.#timer);
    const mine = ++this.#asked;
    const { sort, order, offset } = this;
    const search = this.search.trim();
    this.busy = true;
    try {
      const answer = await this.#ask({ search, sort, order, offset, limit: PAGE });
      if (mine !== this.#asked) return;
      if (answer.items.length === 0 && offset > 0 && answer.found > 0) {
        // The last page has gone meanwhile.
        this.offset = Math.floor((answer.found - 1) / PAGE) * PAGE;
        await this.load();
        return;
      }
      this.items = answer.items;
      this.answer = answer;
      this.found = answer.found;
      this.shown = search;
      this.#error = null;
    } catch (thrown) {
      if (mine === this.#asked) this.#error = asApiError(thrown);
    } finally {
      if (mine === this.#asked) this.busy = false;
    }
  };

  /** A key was pressed in the search field. */
  typed = (): void => {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.restart(), TYPING_MS);
  };

  /** From the first page on: the question has changed. */
  restart = (): Promise<void> => {
    this.offset = 0;
    return this.load();
  };

  /** The same column again turns the order round. */
  sortBy = (column: string): Promise<void> => {
    this.order = column === this.sort && this.order === 'asc' ? 'desc' : 'asc';
    this.sort = column;
    return this.restart();
  };

  turn = (pages: number): Promise<void> => {
    this.offset = Math.max(0, this.offset + pages * PAGE);
    return this.load();
  };

  /** The page is left: what is on its way is of no interest any more. */
  leave = (): void => {
    clearTimeout(this.#timer);
    this.#asked++;
    this.busy = false;
  };
}
