// Runs scenarios and tells how their checks went. Knows private directories, free ports, child
// processes and deadlines; knows nothing of OAuth2, mail or pizauth.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** How long a condition may take to come true: far more than a busy machine needs. */
const PATIENCE = 30_000;
/** How often a condition is looked at. */
const GLANCE = 40;
/** How long a process may take to end once it was asked to. */
const FAREWELL = 5_000;

/** Every process that was started here and has not ended: whatever happens, none outlives us. */
const alive = new Set();
process.on('exit', () => alive.forEach((child) => child.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

/** A check that did not hold, with a reason for people. */
export class Fault extends Error {}

/** One that no further waiting can mend. */
export class Verdict extends Fault {}

/** Throws unless `condition` holds. */
export function must(condition, why) {
  if (!condition) throw new Fault(typeof why === 'function' ? why() : why);
}

/** Throws unless both are the same text or number. */
export function mustEqual(got, want, what) {
  must(got === want, () => `${what}: expected ${JSON.stringify(want)}, got ${JSON.stringify(got)}`);
}

/** Throws unless `text` contains `part`. */
export function mustContain(text, part, what) {
  must(String(text).includes(part), () => `${what}: no ${JSON.stringify(part)} in ${JSON.stringify(text)}`);
}

/**
 * Looks until `probe` returns something true, which is returned. What the probe throws is "not
 * yet", and is told if the deadline passes.
 */
export async function until(what, probe, within = PATIENCE) {
  const deadline = Date.now() + within;
  let last = '';
  for (;;) {
    try {
      const found = await probe();
      if (found) return found;
    } catch (error) {
      if (error instanceof Verdict) throw error;
      last = `; last: ${error.message}`;
    }
    must(Date.now() < deadline, () => `waited ${within / 1000} s in vain: ${what}${last}`);
    await pause(GLANCE);
  }
}

/** How many ports were given out. */
let given = 0;

/**
 * A port on loopback where nobody listens, another one each time. Below what systems give out by
 * themselves, to connections and to whoever asks for any port: of those, one that is free now may
 * be somebody's before it is listened at.
 */
export async function freePort() {
  for (;;) {
    // Tests that run at once begin far from each other.
    const port = 10_000 + (process.pid * 61 + given) % 20_000;
    given += 1;
    // Browsers and fetch() refuse to go to 10080, whoever listens there.
    if (port !== 10_080 && !await listening(port) && !await listening(port, '::1')) return port;
  }
}

/** Whether something accepts connections at this port. */
export function listening(port, host = '127.0.0.1') {
  return new Promise((done) => {
    const socket = net.connect(port, host);
    socket.once('connect', () => done(true) || socket.destroy());
    socket.once('error', () => done(false));
  });
}

/**
 * Runs a command to its end: `{code, stdout, stderr}`. `input` goes to its stdin. A command that
 * takes longer than `within` is killed, and its code is null.
 */
export function command(file, args, { input = '', within = PATIENCE, ...options } = {}) {
  return new Promise((done, failed) => {
    const child = spawn(file, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
    alive.add(child);
    const out = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => { out[name] += text; });
    const timer = setTimeout(() => child.kill('SIGKILL'), within);
    child.once('error', (error) => { clearTimeout(timer); alive.delete(child); failed(error); });
    child.once('close', (code) => { clearTimeout(timer); alive.delete(child); done({ code, ...out }); });
    child.stdin.on('error', () => {}).end(input);
  });
}

/** One scenario while it runs: where its files are, what it must clean up, how its checks went. */
export class Stage {
  constructor(name, report) {
    this.name = name;
    this.report = report;
    // A short path: a Unix socket's may have no more than some hundred characters.
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pzm-'));
    this.endings = [];
    this.clues = [];
  }

  /** Runs one check and reports it. A failed one ends the scenario: what follows builds on it. */
  async check(name, body) {
    const start = Date.now();
    const full = `${this.name}: ${name}`;
    try {
      const result = await body();
      this.report.passed(full, Date.now() - start);
      return result;
    } catch (error) {
      this.report.failed(full, error, this.clues.map((clue) => clue()));
      this.stopped = true;
      throw error;
    }
  }

  /** Does this when the scenario ends; the last first. */
  atEnd(action) {
    this.endings.push(action);
  }

  /** Text that helps to understand a failure, asked for only when there is one. */
  clue(text) {
    this.clues.push(text);
  }

  /** A new private directory. */
  subdir(name) {
    const made = path.join(this.dir, name);
    fs.mkdirSync(made, { mode: 0o700 });
    return made;
  }

  /** Starts a process that runs until it is ended here; what it prints goes to `log`. */
  start(file, args, { log, ...options } = {}) {
    const out = log ? fs.openSync(log, 'a') : 'ignore';
    const child = this.spawn(file, args, { ...options, stdio: ['ignore', out, out] });
    if (log) fs.closeSync(out);
    return child;
  }

  /** The same for one that is talked to through its stdin; `hear` gets what it prints. */
  talk(file, args, { hear, ...options }) {
    const child = this.spawn(file, args, { ...options, stdio: 'pipe' });
    for (const out of [child.stdout, child.stderr]) out.setEncoding('utf8').on('data', hear);
    child.stdin.on('error', () => {});
    return child;
  }

  /** Starts a process that is ended with the scenario; `ended` is when all that it printed is read. */
  spawn(file, args, options) {
    const child = spawn(file, args, options);
    alive.add(child);
    child.ended = new Promise((done) => {
      const end = (status) => { alive.delete(child); child.status = status; done(status); };
      child.once('close', (code, signal) => end(code ?? signal));
      child.once('error', (error) => end(error.message));
    });
    this.atEnd(() => stop(child));
    return child;
  }

  /** Cleans up; a clean-up that fails is told, and hinders no other. */
  async end() {
    for (const action of this.endings.reverse()) {
      try {
        await action();
      } catch (error) {
        this.report.failed(`${this.name}: clean-up`, error, []);
      }
    }
    // A command that pizauth ran may outlive it for a moment, and write what it was told.
    fs.rmSync(this.dir, { recursive: true, force: true, maxRetries: 10 });
  }
}

/** Ends a process: asks first, and waits until it is gone. */
export async function stop(child, signal = 'SIGTERM') {
  if (child.status !== undefined) return;
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), FAREWELL);
  await child.ended;
  clearTimeout(timer);
}

/** Counts checks and prints a line for each. */
class Report {
  counts = { passed: 0, failed: 0 };

  passed(name, took) {
    this.counts.passed += 1;
    console.log(`ok   - ${name} (${(took / 1000).toFixed(1)} s)`);
  }

  failed(name, error, clues) {
    this.counts.failed += 1;
    console.log(`FAIL - ${name}: ${error instanceof Fault ? error.message : error.stack}`);
    for (const clue of clues) console.log(clue.replace(/^/gm, '    | '));
  }
}

async function play(scenario, shared, report) {
  const stage = new Stage(scenario.name, report);
  try {
    await scenario.play(stage, shared);
  } catch (error) {
    if (!stage.stopped) report.failed(`${stage.name}: scenario`, error, stage.clues.map((clue) => clue()));
  }
  await stage.end();
}

/**
 * Plays scenarios, some at once (they mostly wait for tokens to expire), in the order given.
 * Returns whether all their checks held.
 */
export async function playAll(scenarios, shared, atOnce) {
  const report = new Report();
  const waiting = [...scenarios];
  const player = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await play(next, shared, report);
  };
  await Promise.all(Array.from({ length: atOnce }, player));
  console.log(`${report.counts.passed} passed, ${report.counts.failed} failed`);
  return report.counts.failed === 0;
}
