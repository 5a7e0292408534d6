// Runs the built pizauth in a world of its own: home, configuration and runtime directory are
// private, so no test ever talks to a pizauth that is not its own. What its notification commands
// were told is recorded in files.

import fs from 'node:fs';
import path from 'node:path';

import { Verdict, command, must, mustContain, mustEqual, until } from './harness.mjs';
import { Terminal } from './terminal.mjs';

/** The program under test. */
const PROGRAM = process.env.PIZAUTH;

/** Exit codes, as in pizauth(1). */
export const EXIT = { done: 0, error: 1, usage: 2, loginNeeded: 3, tryLater: 4, noServer: 5 };

/** Options whose values are times, which are not quoted. */
const TIMES = /^(refresh_|auth_notify_interval)/;
const LOGIN_NEEDED = /^ERROR - Token unavailable until authorised with URL (\S+)\n$/;

function literal(value) {
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`;
  if (typeof value === 'object') return `{${Object.entries(value).map(([k, v]) => `${literal(k)}: ${literal(v)}`).join(', ')}}`;
  return `"${value.replace(/[\\"]/g, '\\$&')}"`;
}

function option([name, value]) {
  return `${name} = ${TIMES.test(name) ? value : literal(value)};\n`;
}

/** A configuration file's text from what it says. */
export function configuration(top, accounts) {
  const blocks = Object.entries(accounts).map(([name, options]) => {
    const lines = Object.entries(options).map((each) => `    ${option(each)}`);
    return `\naccount ${literal(name)} {\n${lines.join('')}}\n`;
  });
  return Object.entries(top).map(option).join('') + blocks.join('');
}

export class Pizauth {
  /**
   * A pizauth with this configuration; its server does not run yet. `accounts` maps names to
   * options, `top` are further options, `env` further environment variables. Notifications are
   * recorded unless `top` says otherwise.
   */
  constructor(stage, accounts, top = {}, env = {}) {
    this.stage = stage;
    this.dir = stage.subdir(`pizauth-${Pizauth.count += 1}`);
    this.accounts = accounts;
    this.top = top;
    this.log = path.join(this.dir, 'log');
    for (const part of ['home', 'run', 'config']) fs.mkdirSync(path.join(this.dir, part), { mode: 0o700 });
    this.env = {
      PATH: process.env.PATH,
      HOME: path.join(this.dir, 'home'),
      XDG_RUNTIME_DIR: path.join(this.dir, 'run'),
      XDG_CONFIG_HOME: path.join(this.dir, 'config'),
      RUST_BACKTRACE: '1',
      ...env,
    };
    this.configure();
    stage.clue(() => `pizauth's log:\n${this.logged().split('\n').slice(-25).join('\n')}`);
  }

  static count = 0;

  /** Writes the configuration file. */
  configure() {
    const recorded = {
      auth_notify_cmd: this.recorder('auth', 'PIZAUTH_URL', 'PIZAUTH_CODE'),
      error_notify_cmd: this.recorder('error', 'PIZAUTH_MSG'),
      token_event_cmd: this.recorder('event', 'PIZAUTH_EVENT'),
    };
    const text = configuration({ ...recorded, ...this.top }, this.accounts);
    fs.writeFileSync(path.join(this.env.XDG_CONFIG_HOME, 'pizauth.conf'), text, { mode: 0o600 });
  }

  /** A command that appends the account and further variables to a file. */
  recorder(kind, ...variables) {
    const names = ['PIZAUTH_ACCOUNT', ...variables].map((name) => `"$${name}"`);
    return `printf '${names.map(() => '%s').join('\\t')}\\0' ${names.join(' ')} >> ${path.join(this.dir, kind)}`;
  }

  /** What a recorder wrote: `[account, value, ...]`, in order. */
  records(kind) {
    const file = path.join(this.dir, kind);
    if (!fs.existsSync(file)) return [];
    return fs.readFileSync(file, 'utf8').split('\0').slice(0, -1).map((record) => record.split('\t'));
  }

  /** How often this event was announced for an account. */
  events(account, event) {
    return this.records('event').filter(([name, what]) => name === account && what === event).length;
  }

  /** A file's text. */
  read(name) { return fs.readFileSync(path.join(this.dir, name), 'utf8'); }

  logged() {
    return fs.existsSync(this.log) ? fs.readFileSync(this.log, 'utf8') : '';
  }

  /** Runs one command of pizauth: `{code, stdout, stderr}`. */
  run(...args) {
    return this.feed('', ...args);
  }

  /** The same with something on stdin. */
  feed(input, ...args) {
    return command(PROGRAM, args, { env: this.env, cwd: '/', input });
  }

  /** Runs one command of pizauth in a terminal. */
  terminal(args, options = {}) {
    return Terminal.open(this.stage, PROGRAM, args, { cwd: '/', ...options, env: { ...this.env, ...options.env } });
  }

  /** Starts the server in the foreground, and waits until it answers. */
  async serve(...options) {
    this.server = this.stage.start(PROGRAM, ['server', '-d', '-vv', ...options], { env: this.env, cwd: '/', log: this.log });
    await until('the server to answer', async () => {
      if (this.server.status !== undefined) throw new Verdict(`the server ended with ${this.server.status}`);
      return (await this.run('status')).code === EXIT.done;
    });
    return this;
  }

  /** Has another server take over. */
  async replace() {
    const before = this.server;
    await this.serve('--replace');
    mustEqual(await before.ended, 0, "the former server's exit code");
    const { server } = JSON.parse((await this.run('info', '-j')).stdout);
    mustEqual(server.pid, this.server.pid, "the server's process id");
  }

  /** Ends the server at the scenario's end where it runs in the background, as no child of ours. */
  endInBackground() {
    this.stage.atEnd(async () => {
      const { code, stdout } = await this.run('info', '-j');
      const pid = code === EXIT.done && JSON.parse(stdout).server?.pid;
      if (!pid) return;
      await this.run('shutdown');
      await until('the server in the background to end', () => !exists(pid), 5_000).catch(() => kill(pid));
    });
  }

  /** Ends the server as a user does, and waits until it is gone. */
  async shutdown() {
    mustEqual((await this.run('shutdown')).code, EXIT.done, "shutdown's exit code");
    mustEqual(await this.server.ended, 0, "the server's exit code");
  }

  /** Asks for a token that needs a login: the URL that the user is told. */
  async askForLogin(account) {
    const { code, stdout, stderr } = await this.run('show', account);
    mustEqual(code, EXIT.loginNeeded, `exit code of show (it said ${JSON.stringify(stderr)})`);
    mustEqual(stdout, '', 'stdout of show');
    const found = LOGIN_NEEDED.exec(stderr);
    must(found, () => `stderr of show is not as promised: ${JSON.stringify(stderr)}`);
    return found[1];
  }

  /** The token that `show` prints; it must print one. */
  async token(account) {
    const { code, stdout, stderr } = await this.run('show', account);
    mustEqual(code, EXIT.done, `exit code of show (it said ${JSON.stringify(stderr)})`);
    must(/^[\x21-\x7e]+\n$/.test(stdout), () => `stdout of show is not a token and a newline: ${JSON.stringify(stdout)}`);
    mustEqual(stderr, '', 'stderr of show');
    return stdout.trimEnd();
  }

  /** Logs in at the provider, and returns the token. */
  async logIn(account, person) {
    const page = await person.authorise(await this.askForLogin(account));
    mustContain(page.text, account, 'the page in the browser');
    // A token that lives for seconds may be due for its first refresh by now.
    return until('the token', () => this.token(account));
  }

  /** Waits for a token other than this one. */
  tokenOtherThan(account, old) {
    return until(`another token for ${account}`, async () => {
      const token = await this.token(account);
      return token !== old && token;
    });
  }

  /** What `status --json` says of an account. */
  async status(account) {
    const { code, stdout, stderr } = await this.run('status', '--json');
    mustEqual(code, EXIT.done, `exit code of status (it said ${JSON.stringify(stderr)})`);
    return JSON.parse(stdout).accounts.find((each) => each.account === account);
  }
}

/** Kills a process, unless it has ended just now. */
function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** Whether there is a process with this id. */
function exists(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
