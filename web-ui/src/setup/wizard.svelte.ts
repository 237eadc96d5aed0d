// Where the wizard is and what it remembers. The box keeps it, so a closed browser resumes.
// Must never remember a password; the box refuses more than 32 KB.
import { api, SETUP_STEPS, type SetupProgress, type SetupStep } from '../lib/api';
import { asApiError } from '../lib/errors';

export interface PersonDraft { name: string; address: string }
interface Kept { done: SetupStep[]; people: PersonDraft[] }

/** Most rows that are kept between visits; 200 names and addresses stay well below 32 KB. */
const KEPT_PEOPLE_MAX = 200;

const isStep = (x: unknown): x is SetupStep => SETUP_STEPS.includes(x as SetupStep);

/** What came back from the box may be of an older UI: everything is looked at before it is used. */
export function keptOf(ui: unknown): Kept {
  const o = (typeof ui === 'object' && ui !== null ? ui : {}) as { done?: unknown; people?: unknown };
  const people = Array.isArray(o.people) ? (o.people as unknown[]) : [];
  return {
    done: Array.isArray(o.done) ? o.done.filter(isStep) : [],
    people: people.flatMap((p) => {
      const row = (typeof p === 'object' && p !== null ? p : {}) as { name?: unknown; address?: unknown };
      return typeof row.name === 'string' && typeof row.address === 'string' ? [{ name: row.name, address: row.address }] : [];
    }).slice(0, KEPT_PEOPLE_MAX),
  };
}

export class Wizard {
  step = $state<SetupStep>('language');
  progress = $state.raw<SetupProgress | null>(null);
  skipped = $state.raw<SetupStep[]>([]);
  done = $state.raw<SetupStep[]>([]);
  resumed = $state(false);
  people: PersonDraft[] = [];

  /** Takes over what the box remembers and stands where the wizard was left. */
  open(progress: SetupProgress): void {
    const kept = keptOf(progress.ui);
    this.progress = progress;
    this.skipped = progress.skipped.filter(isStep);
    this.done = [...new Set<SetupStep>(['language', 'code', ...kept.done])];
    this.people = kept.people;
    const before: SetupStep[] = ['language', 'code'];
    this.step = before.includes(progress.step) ? 'password' : progress.step;
    if (!progress.password_set) this.step = 'password';
    this.resumed = this.step !== 'password';
  }

  async reload(): Promise<void> {
    this.progress = await api.setup.progress();
  }

  index(): number {
    return SETUP_STEPS.indexOf(this.step);
  }

  /** This step is answered (or put off): on to the next one. */
  async forward(how: 'done' | 'skipped'): Promise<void> {
    const step = this.step;
    this.done = this.done.filter((s) => s !== step);
    this.skipped = this.skipped.filter((s) => s !== step);
    if (how === 'done') this.done = [...this.done, step];
    else this.skipped = [...this.skipped, step];
    await this.goTo(SETUP_STEPS[this.index() + 1] ?? 'finish');
  }

  async back(): Promise<void> {
    await this.goTo(SETUP_STEPS[this.index() - 1] ?? 'language');
  }

  async goTo(step: SetupStep): Promise<void> {
    this.resumed = false;
    if (this.progress) {
      try {
        await this.remember(step);
        await this.reload();
      } catch (thrown) {
        if (this.codeNeeded(thrown)) return;
        // The step is shown all the same: what was answered is stored, only the bookmark is not.
      }
    }
    this.step = step;
  }

  /** Keeps the bookmark and the names typed so far. */
  async remember(step: SetupStep = this.step): Promise<void> {
    if (!this.progress) return;
    const kept: Kept = { done: this.done, people: this.people.slice(0, KEPT_PEOPLE_MAX) };
    await api.setup.remember(step, this.skipped, kept);
  }

  /** The session of the wizard is over (restart, 12 hours): the code once more. */
  codeNeeded(thrown: unknown): boolean {
    const code = asApiError(thrown).code;
    if (code !== 'setup-code-needed' && code !== 'sign-in-needed') return false;
    this.progress = null;
    this.step = 'code';
    return true;
  }
}
