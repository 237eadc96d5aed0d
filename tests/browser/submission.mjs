// Hands one message to the submissions port (RFC 8314 §3.3) as a mail program does.
import { once } from 'node:events';
import { connect } from 'node:tls';
import { portOf } from './harness.mjs';

const SUBMISSIONS_PORT = 465;
const REPLY_MS = 20_000;

export async function submit(baseUrl, from, password, to) {
  const url = new URL(baseUrl);
  const port = Number(portOf(baseUrl, SUBMISSIONS_PORT));
  const socket = connect({ host: url.hostname, port, rejectUnauthorized: false });
  socket.setEncoding('utf8');
  socket.setTimeout(REPLY_MS, () => socket.destroy(new Error('the submission server does not answer')));
  let buffer = '';
  const reply = async (code) => {
    // The last line of a reply has a blank after its code (RFC 5321 §4.2.1).
    while (!/^\d{3} .*\r\n/m.test(buffer)) buffer += (await once(socket, 'data'))[0];
    const text = buffer;
    buffer = '';
    if (text.startsWith(code)) return;
    socket.destroy();
    throw new Error(`expected ${code}, got ${text}`);
  };
  const say = async (line, code) => {
    socket.write(`${line}\r\n`);
    await reply(code);
  };
  await reply('220');
  await say('EHLO browser-test.example', '250');
  await say(`AUTH PLAIN ${Buffer.from(`\0${from}\0${password}`).toString('base64')}`, '235');
  await say(`MAIL FROM:<${from}>`, '250');
  await say(`RCPT TO:<${to}>`, '250');
  await say('DATA', '354');
  const date = new Date().toUTCString().replace('GMT', '+0000');
  const head = `From: <${from}>\r\nTo: <${to}>\r\nSubject: Browser test\r\nDate: ${date}\r\nMessage-ID: <${Date.now()}@${url.hostname}.test>`;
  await say(`${head}\r\n\r\nGood morning.\r\n.`, '250');
  socket.end('QUIT\r\n');
}
