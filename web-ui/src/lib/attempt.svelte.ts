// One thing the person tries: busy while it runs, its refusal afterwards, tied to the field it is about.
// Must never run twice at once.
import { tick } from 'svelte';
import { ApiError } from './api';
import { asApiError, errorText, fieldOf } from './errors';

export class Attempt {
  busy = $state(false);
  error = $state.raw<ApiError | null>(null);
  #own = $state.raw<Record<string, string>>({});

  /** True when it worked. */
  async run(act: () => Promise<unknown>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    this.error = null;
    this.#own = {};
    try {
      await act();
      return true;
    } catch (thrown) {
      this.error = asApiError(thrown);
      await this.#showError();
      return false;
    } finally {
      this.busy = false;
    }
  }

  /** Our own look before the server's: field -> text. Gives true when there is nothing to complain about. */
  check(problems: Record<string, string | false | undefined>): boolean {
    const found = Object.entries(problems).filter((p): p is [string, string] => typeof p[1] === 'string');
    this.error = null;
    this.#own = Object.fromEntries(found);
    if (found.length > 0) void this.#showError();
    return found.length === 0;
  }

  /** The complaint about a field. */
  at(field: string): string | undefined {
    const own = this.#own[field];
    if (own !== undefined) return own;
    return this.error && fieldOf(this.error) === field ? errorText(this.error) : undefined;
  }

  /** The complaint that belongs to none of the fields on the page. */
  general(shown: readonly string[] = []): string | undefined {
    if (!this.error) return undefined;
    const field = fieldOf(this.error);
    return field !== undefined && shown.includes(field) ? undefined : errorText(this.error);
  }

  clear(): void {
    this.error = null;
    this.#own = {};
  }

  async #showError(): Promise<void> {
    await tick();
    const scope = document.querySelector('dialog[open]') ?? document;
    scope.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }
}
