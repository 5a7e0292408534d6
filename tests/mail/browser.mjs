// Headless Chromium as a person uses it: logs in, consents or refuses, reads the page. Knows
// providers' login and consent pages; knows nothing of pizauth but that the browser ends there.

import { X509Certificate } from 'node:crypto';

import { chromium } from 'playwright-core';

import { must, until } from './harness.mjs';

/** Where a name of a machine leads. */
const RESOLVER = '--host-resolver-rules=';
/** No foreign host is ever asked for anything, not even for the web font of the login page. */
const FLAGS = [
  `${RESOLVER}MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1 , EXCLUDE ::1`,
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
export function launch(home, flags = FLAGS) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: flags,
    env: { PATH: process.env.PATH, HOME: home },
    timeout: PATIENCE * 2,
  });
}

/** Starts another Chromium for a scenario, with these flags beside the usual ones. */
export async function launchAnother(stage, flags = [], home = stage.subdir('browser-home')) {
  const browser = await launch(home, [...FLAGS.filter((usual) => !flags.some((flag) => flag.startsWith(RESOLVER) && usual.startsWith(RESOLVER))), ...flags]);
  stage.atEnd(() => browser.close());
  return browser;
}

/**
 * Starts a Chromium as on another machine: its localhost is not this one, and nothing listens
 * there. The provider, at an address, is reached all the same.
 */
export function launchElsewhere(stage) {
  return launchAnother(stage, [`${RESOLVER}MAP localhost 127.0.0.1:9 , MAP * ~NOTFOUND , EXCLUDE 127.0.0.1`]);
}

/** A person's browser window. */
export class Person {
  /** Opens a window. It believes any certificate: the browser's trust is not what is tested. */
  static async sitDown(stage, chromiumBrowser, login = 'jane', way = OIDC_PROVIDER, options = {}) {
    const context = await chromiumBrowser.newContext({ ignoreHTTPSErrors: true, ...options });
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

  /**
   * Follows an authorisation URL where the browser cannot come back: what is in the address bar
   * in the end, under a page of the browser's own that says that this cannot be reached.
   */
  async comeBackInVain(url) {
    const page = await this.context.newPage();
    await page.goto(url);
    await this.way(page, this.login, true).catch(() => {});
    const { origin } = new URL(url);
    const address = await until('the browser to leave the provider', async () => {
      const shown = await addressBar(page);
      return new URL(shown).origin !== origin && shown;
    });
    await page.close();
    return address;
  }

  /**
   * Types a device's code into the page at `url`, confirms it, logs in, and consents or refuses:
   * what the last page says. Where `url` has the code in it, there is only to confirm.
   */
  async typeCode(url, code, consents = true) {
    const page = await this.context.newPage();
    await page.goto(url);
    if (await page.$('input[name=user_code]:not([type=hidden])')) {
      await page.fill('input[name=user_code]', code);
      await Promise.all([page.waitForNavigation(), page.click('button[type=submit]')]);
    }
    const confirm = 'button[form="op.deviceConfirmForm"]:not([name=abort])';
    await page.waitForSelector(`${confirm}, p.red`);
    if (!await page.$(confirm)) return read(page);
    await Promise.all([page.waitForNavigation(), page.click(confirm)]);
    while (/\/interaction\//.test(page.url())) {
      const asksWho = await page.$('input[name=login]');
      if (asksWho) {
        await page.fill('input[name=login]', this.login);
        await page.fill('input[name=password]', PASSWORD);
      }
      const next = asksWho || consents ? 'button[type=submit]' : 'a[href$="/abort"]';
      await Promise.all([page.waitForNavigation(), page.click(next)]);
    }
    return read(page);
  }

  /** The fingerprint of the certificate that this browser was shown by a server it has been at. */
  async fingerprintSeen(origin) {
    const page = await this.context.newPage();
    const devtools = await this.context.newCDPSession(page);
    await devtools.send('Network.enable');
    await page.goto(origin);
    const { tableNames: [shown] } = await devtools.send('Network.getCertificate', { origin });
    await page.close();
    return new X509Certificate(Buffer.from(shown, 'base64')).fingerprint256;
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

/** What the browser shows above the page, even if there is none. */
async function addressBar(page) {
  const devtools = await page.context().newCDPSession(page);
  const { currentIndex, entries } = await devtools.send('Page.getNavigationHistory');
  return entries[currentIndex].url;
}

/** What a person sees of a page: its text, and what is in the address bar. */
async function read(page, answer) {
  await until('the page to take the secrets out of the address bar', () => !/[?&](code|state)=/.test(page.url()), 5_000)
    .catch(() => {});
  const seen = { text: await page.innerText('body'), address: page.url(), status: answer?.status(), headers: answer?.headers() ?? {} };
  await page.close();
  return seen;
}
