// Headless Chromium as a person uses it: logs in, consents or refuses, reads the page. Knows the
// provider's login and consent pages; knows nothing of pizauth but that the browser ends there.

import { chromium } from 'playwright-core';

import { must, until } from './harness.mjs';

/** No foreign host is ever asked for anything, not even for the web font of the login page. */
const FLAGS = [
  '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1 , EXCLUDE ::1',
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
/** How long a page may take. */
const PATIENCE = 30_000;

/** Starts Chromium with a home of its own; every scenario gets a window with cookies of its own. */
export function launch(home) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: FLAGS,
    env: { PATH: process.env.PATH, HOME: home },
    timeout: PATIENCE * 2,
  });
}

/** A person's browser window. */
export class Person {
  /** Opens a window. It believes any certificate: the browser's trust is not what is tested. */
  static async sitDown(stage, chromiumBrowser, login = 'jane') {
    const context = await chromiumBrowser.newContext({ ignoreHTTPSErrors: true });
    context.setDefaultTimeout(PATIENCE);
    stage.atEnd(() => context.close());
    return new Person(context, login);
  }

  constructor(context, login) {
    this.context = context;
    this.login = login;
    /** Every URL with which a provider sent the browser back. */
    this.redirects = [];
    context.on('request', (request) => {
      const { searchParams } = new URL(request.url());
      if (searchParams.has('state') && (searchParams.has('code') || searchParams.has('error'))) this.redirects.push(request.url());
    });
  }

  /** Follows an authorisation URL to its end: logs in where asked, and consents. */
  authorise(url) {
    return this.visit(url, (page) => page.click('button[type=submit]'));
  }

  /** Follows an authorisation URL, logs in where asked, and refuses. */
  refuse(url) {
    return this.visit(url, (page) => page.click('a[href$="/abort"]'));
  }

  /** Opens a URL as it is, and reads what is there. */
  async open(url) {
    const page = await this.context.newPage();
    const answer = await page.goto(url);
    return read(page, answer);
  }

  async visit(url, decide) {
    const page = await this.context.newPage();
    const { origin } = new URL(url);
    let answer = await page.goto(url);
    // At most a login page and a consent page lie before the end.
    for (let pages = 0; new URL(page.url()).origin === origin; pages += 1) {
      must(pages < 2, () => `the browser is stuck at ${page.url()}`);
      must(await page.$('button[type=submit]'), `the provider says: ${await page.innerText('body')}`);
      const act = (await page.$('input[name=login]')) ? () => this.logIn(page) : () => decide(page);
      [answer] = await Promise.all([page.waitForNavigation(), act()]);
    }
    return read(page, answer);
  }

  async logIn(page) {
    await page.fill('input[name=login]', this.login);
    await page.fill('input[name=password]', 'any password does');
    await page.click('button[type=submit]');
  }
}

/** What a person sees of a page: its text, and what is in the address bar. */
async function read(page, answer) {
  await until('the page to take the secrets out of the address bar', () => !/[?&](code|state)=/.test(page.url()), 5_000)
    .catch(() => {});
  const seen = { text: await page.innerText('body'), address: page.url(), status: answer?.status(), headers: answer?.headers() ?? {} };
  await page.close();
  return seen;
}
