// Headless Chromium as a person uses it: logs in, consents or refuses, reads the page. Knows
// providers' login and consent pages; knows nothing of pizauth but that the browser ends there.

import { chromium } from 'playwright-core';

import { must, until } from './harness.mjs';

/** No foreign host is ever asked for anything, not even for the web font of the login page. */
const FLAGS = [
  '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1 , EXCLUDE ::1',
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
/** Where a person types and clicks at oidc-provider's pages. */
const OIDC_PROVIDER = {
  user: 'input[name=login]',
  password: 'input[name=password]',
  submit: 'button[type=submit]',
  consent: 'button[type=submit]',
  refuse: 'a[href$="/abort"]',
};
/** The only password there is. */
export const PASSWORD = 'any password does';
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
  static async sitDown(stage, chromiumBrowser, login = 'jane', pages = OIDC_PROVIDER) {
    const context = await chromiumBrowser.newContext({ ignoreHTTPSErrors: true });
    context.setDefaultTimeout(PATIENCE);
    stage.atEnd(() => context.close());
    return new Person(context, login, pages);
  }

  constructor(context, login, pages) {
    this.context = context;
    this.login = login;
    this.pages = pages;
    /** Every URL with which a provider sent the browser back. */
    this.redirects = [];
    context.on('request', (request) => {
      const { searchParams } = new URL(request.url());
      if (searchParams.has('state') && (searchParams.has('code') || searchParams.has('error'))) this.redirects.push(request.url());
    });
  }

  /** Follows an authorisation URL to its end: logs in where asked, and consents. */
  authorise(url) {
    return this.visit(url, this.pages.consent);
  }

  /** Follows an authorisation URL, logs in where asked, and refuses. */
  refuse(url) {
    return this.visit(url, this.pages.refuse);
  }

  /** Opens a URL as it is, and reads what is there. */
  async open(url) {
    const page = await this.context.newPage();
    const answer = await page.goto(url);
    return read(page, answer);
  }

  async visit(url, decision) {
    const page = await this.context.newPage();
    const { origin } = new URL(url);
    let answer = await page.goto(url);
    // At most a login page and a consent page lie before the end.
    for (let pages = 0; new URL(page.url()).origin === origin; pages += 1) {
      must(pages < 2, () => `the browser is stuck at ${page.url()}`);
      const asksWho = await page.$(this.pages.user);
      must(asksWho || await page.$(decision), `the provider says: ${await page.innerText('body')}`);
      if (asksWho) await this.introduce(page);
      [answer] = await Promise.all([page.waitForNavigation(), page.click(asksWho ? this.pages.submit : decision)]);
    }
    return read(page, answer);
  }

  async introduce(page) {
    await page.fill(this.pages.user, this.login);
    await page.fill(this.pages.password, PASSWORD);
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
