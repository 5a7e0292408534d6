// A terminal in which somebody runs a command: what is to be seen there, and what is typed. Knows
// escape sequences and QR codes that are drawn with characters; knows nothing of pizauth.

import jsQR from 'jsqr';

import { Verdict, mustEqual, until } from './harness.mjs';

const HELPER = new URL('terminal.py', import.meta.url).pathname;
/** Debian's own, which needs nothing but its standard library. */
const PYTHON = '/usr/bin/python3';
/** Colours and the like. */
const STYLES = /\x1b\[[0-9;]*m/g;
/** What a terminal of today says of itself. */
const GOOD = { TERM: 'xterm-256color', LANG: 'C.UTF-8' };
/** How the halves of a character are dark, in a drawing of dark on light. */
const HALVES = { ' ': [false, false], '▀': [true, false], '▄': [false, true], '█': [true, true] };
/** Pixels for a module: a decoder that is made for photographs wants more than one. */
const SCALE = 4;

export class Terminal {
  /** Runs a program in a new terminal. */
  static open(stage, file, args, { columns = 100, env = {}, ...options } = {}) {
    const terminal = new Terminal();
    terminal.child = stage.talk(PYTHON, [HELPER, String(columns), file, ...args], {
      ...options,
      // Python would make a UTF-8 locale of C, for the program as well.
      env: { PYTHONCOERCECLOCALE: '0', ...GOOD, ...env },
      hear: (text) => { terminal.raw += text; },
    });
    stage.clue(() => `the terminal shows:\n${terminal.text}`);
    return terminal;
  }

  constructor() {
    /** Everything that the program printed. */
    this.raw = '';
  }

  /** What a person reads. */
  get text() { return this.raw.replace(STYLES, '').replaceAll('\r\n', '\n'); }

  /** Waits until this is to be seen: what the pattern matched. */
  see(pattern, within) {
    return until(`the terminal to show ${pattern}`, () => {
      const ended = this.child.status;
      const found = this.text.match(pattern);
      if (!found && ended !== undefined) throw new Verdict(`the program ended with ${ended} and never showed ${pattern}: ${JSON.stringify(this.text)}`);
      return found;
    }, within);
  }

  /** Types this. */
  type(text) { this.child.stdin.write(text); }

  /** Pastes this, and presses enter. */
  enter(text) { this.type(`${text}\r`); }

  /** Waits for the program's end, which must have this exit code. */
  async end(code, what) {
    mustEqual(await this.child.ended, code, `exit code of ${what} (the terminal shows ${JSON.stringify(this.text)})`);
  }

  /** What a phone reads from the QR code in the terminal; undefined where there is none. */
  scan() {
    const rows = this.text.split('\n').filter((line) => line.length > 20 && [...line].every((c) => c in HALVES));
    if (rows.length === 0) return undefined;
    const modules = rows.flatMap((row) => [0, 1].map((half) => [...row].map((c) => HALVES[c][half])));
    const width = modules[0].length * SCALE;
    const height = modules.length * SCALE;
    const pixels = new Uint8ClampedArray(width * height * 4);
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        const light = modules[Math.floor(y / SCALE)][Math.floor(x / SCALE)] ? 0 : 255;
        pixels.set([light, light, light, 255], (y * width + x) * 4);
      }
    }
    return jsQR(pixels, width, height, { inversionAttempts: 'dontInvert' })?.data;
  }
}
