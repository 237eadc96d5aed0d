// A fresh server for one run: its own folder, its own ports, stopped and cleared away afterwards.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const READY = /^READY (https:\S+?)(?: setup-code=(\S+))?$/;
/** Offsets between 21000 and 29000: below the ports that the kernel gives to clients. */
const offset = () => 21_000 + 10 * Math.floor(Math.random() * 800);

export async function startDaemon(binary) {
  const data = await mkdtemp(join(tmpdir(), 'postroom-browser-'));
  const args = ['serve', '--data', data, '--listen', '127.0.0.1', '--port-offset', String(offset())];
  const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const log = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    log.push(line);
    if (log.length > 60) log.shift();
  });
  const stop = async () => {
    if (child.exitCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    await rm(data, { recursive: true, force: true });
  };
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) {
    const ready = READY.exec(line);
    if (ready) return { url: ready[1], code: ready[2], stop };
  }
  await stop();
  throw new Error(`the server did not get ready:\n${log.join('\n')}`);
}
