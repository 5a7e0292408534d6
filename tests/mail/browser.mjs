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
/** The only password there is. */
export const PASSWORD = 'any password does';
/** How long a page may take. */
const PATIENCE = 30_000;

/**
 * The way through a provider's login and consent pages where these are plain forms, a page each:
 * selectors of where a person types and clicks.
 */
export function forms({ user, password, submit, consent, refuse }) {
  return async (page, login, consents) => {
    const { origin } = new URL(page.url());
    let answer;
    // At most a login page and a consent page lie before the end.
    for (let pages = 0; new URL(page.url()).origin === origin; pages += 1) {
      must(pages < 2, () => `the browser is stuck at ${page.url()}`);
      const asksWho = await page.$(user);
      const next = asksWho ? submit : consents ? consent : refuse;
      must(await page.$(next), `the provider says: ${await page.innerText('body')}`);
      if (asksWho) {
        await page.fill(user, login);
        await page.fill(password, PASSWORD);
      }
      [answer] = await Promise.all([page.waitForNavigation(), page.click(next)]);
    }
    return answer;
  };
}

const OIDC_PROVIDER = forms({
  user: 'input[name=login]',
  password: 'input[name=password]',
  submit: 'button[type=submit]',
  consent: 'button[type=submit]',
  refuse: 'a[href$="/abort"]',
});

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
  static async sitDown(stage, chromiumBrowser, login = 'jane', way = OIDC_PROVIDER) {
    const context = await chromiumBrowser.newContext({ ignoreHTTPSErrors: true });
    context.setDefaultTimeout(PATIENCE);
    stage.atEnd(() => context.close());
    return new Person(context, login, way);
  }

  constructor(context, login, way) {
    this.context = context;
    this.login = login;
    this.way = way;
    /** Every URL with which a provider sent the browser back. */
    this.redirects = [];
    context.on('request', (request) => {
      const { searchParams } = new URL(request.url());
      if (searchParams.has('state') && (searchParams.has('code') || searchParams.has('error'))) this.redirects.push(request.url());
    });
  }

  /** Follows an authorisation URL to its end: logs in where asked, and consents. */
  authorise(url) {
    return this.visit(url, true);
  }

  /** Follows an authorisation URL, logs in where asked, and refuses. */
  refuse(url) {
    return this.visit(url, false);
  }

  /** Opens a URL as it is, and reads what is there. */
  async open(url) {
    const page = await this.context.newPage();
    const answer = await page.goto(url);
    return read(page, answer);
  }

  async visit(url, consents) {
    const page = await this.context.newPage();
    await page.goto(url);
    const answer = await this.way(page, this.login, consents).catch(async (error) => {
      throw new Error(`${error.message}\nat ${page.url()}, which says: ${await page.innerText('body')}`);
    });
    return read(page, answer);
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
