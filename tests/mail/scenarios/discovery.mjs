// An account of three lines: its endpoints are found by its issuer (RFC 8414, OpenID Connect
// Discovery), and the redirect must come from that issuer (RFC 9207).

import { must, mustContain, mustEqual, until } from '../harness.mjs';
import { Person, launchElsewhere } from '../browser.mjs';
import { EXIT, Pizauth } from '../pizauth.mjs';
import { Provider, deviceClient } from '../provider.mjs';
import { SCOPES, mustBeActive } from './common.mjs';

/** Asks for a login until the issuer has been asked where that is: show waits for nobody. */
export function askWhenKnown(pizauth, account) {
  return until(`a URL for ${account}`, async () => {
    const { code } = await pizauth.run('show', account);
    return code === EXIT.loginNeeded && pizauth.askForLogin(account);
  });
}

export const discovery = {
  name: 'discovery',
  async play(stage, { browser }) {
    const provider = await Provider.start(stage, { clients: [deviceClient('pizauth')] });
    const person = await Person.sitDown(stage, browser);
    const account = { issuer: provider.issuer, client_id: 'pizauth', scopes: SCOPES };
    const pizauth = await new Pizauth(stage, { work: account }).serve();

    await stage.check('three lines are enough to log in', async () => {
      const page = await person.authorise(await askWhenKnown(pizauth, 'work'));
      mustEqual(page.status, 200, 'HTTP status');
      await mustBeActive(provider, await pizauth.token('work'));
      mustContain(person.redirects.at(-1), `iss=${encodeURIComponent(provider.issuer)}`, 'the redirect');
    });

    await stage.check('the revocation endpoint was found, too', async () => {
      const token = await pizauth.token('work');
      const { code, stderr } = await pizauth.run('revoke', 'work');
      mustEqual(code, EXIT.done, `exit code of revoke (it said ${JSON.stringify(stderr)})`);
      mustContain(stderr, 'the provider has revoked', 'what revoke says');
      mustEqual((await provider.introspect(token)).active, false, 'active');
    });

    await stage.check('and the one for device codes, which login over ssh offers by itself', async () => {
      const terminal = pizauth.terminal(['login', 'work'], { env: { SSH_CONNECTION: '192.0.2.7 50022 192.0.2.9 22' } });
      const [, url, code] = await terminal.see(/\n {4}(http\S+)\n[^]*?type in the code\n\n {4}(\S+)\n/);
      // What is shown after the QR code: all of it is there then.
      await terminal.see(/waiting for the login/);
      mustEqual(terminal.scan(), `${url}?user_code=${code}`, 'what the QR code says');
      await person.typeCode(url, code);
      await terminal.end(EXIT.done, 'login');
      await mustBeActive(provider, await pizauth.token('work'));
    });

    await stage.check('an issuer that is not the same to the letter is refused, and the reason told', async () => {
      const wrong = {
        slash: { issuer: `${provider.issuer}/`, reason: "only the '/' at the end differs" },
        name: { issuer: provider.issuer.replace('127.0.0.1', 'localhost'), reason: 'character by character' },
        path: { issuer: `${provider.issuer}/tenant`, reason: 'tells nothing of its endpoints' },
      };
      for (const [name, { issuer }] of Object.entries(wrong)) pizauth.accounts[name] = { ...account, issuer };
      pizauth.configure();
      await pizauth.run('reload');
      for (const [name, { reason }] of Object.entries(wrong)) {
        const terminal = pizauth.terminal(['login', name]);
        await terminal.see(/ERROR/);
        must(await terminal.child.ended !== EXIT.done, 'login succeeded');
        mustContain(terminal.text, reason, `what login ${name} says`);
        await until('error_notify_cmd', () => pizauth.records('error').some(([who, what]) => who === name && what.includes(reason)));
      }
    });

    await stage.check('while the provider is down, show says to try later; and later it works', async () => {
      await pizauth.run('revoke', 'work');
      await provider.down();
      await pizauth.run('reload');
      // What was known of the provider is as good as before, or is asked for again: either will do.
      const { code } = await pizauth.run('show', 'work');
      must([EXIT.loginNeeded, EXIT.tryLater].includes(code), `exit code of show: ${code}`);
      await provider.up();
      await person.authorise(await askWhenKnown(pizauth, 'work'));
      await mustBeActive(provider, await pizauth.token('work'));
    });
  },
};

export const mixUp = {
  name: 'another issuer in the redirect',
  async play(stage, { browser }) {
    const provider = await Provider.start(stage);
    const elsewhere = await Person.sitDown(stage, await launchElsewhere(stage));
    const person = await Person.sitDown(stage, browser);
    const pizauth = await new Pizauth(stage, { work: { issuer: provider.issuer, client_id: 'pizauth', scopes: SCOPES } }).serve();
    const tampers = {
      'the one of somebody else': (query) => query.set('iss', 'https://evil.example/<b>'),
      'none, although the metadata promise one': (query) => query.delete('iss'),
    };

    for (const [what, tamper] of Object.entries(tampers)) {
      await stage.check(`${what}: the page says so, and the code is never sent`, async () => {
        const requests = provider.requests.length;
        // The address is changed on its way back, and opened where it leads to pizauth.
        const back = new URL(await elsewhere.comeBackInVain(await askWhenKnown(pizauth, 'work')));
        tamper(back.searchParams);
        const page = await person.open(back.href);
        must(page.status >= 400 && page.status < 500, `HTTP status ${page.status}`);
        mustContain(page.text, 'work', 'the page');
        mustContain(page.text, provider.issuer, 'the page');
        mustContain(page.text, 'begin it anew', 'the page');
        mustEqual(provider.requests.length, requests, 'requests at the token endpoint');
        await until('error_notify_cmd', () => pizauth.records('error').some(([, message]) => message.includes(provider.issuer)));
      });
    }

    await stage.check('pasted, it is refused just so', async () => {
      const back = new URL(await elsewhere.comeBackInVain(await askWhenKnown(pizauth, 'work')));
      back.searchParams.set('iss', `${provider.issuer}/`);
      const { code, stderr } = await pizauth.feed(`${back}\n`, 'complete', 'work');
      mustEqual(code, EXIT.error, 'exit code of complete');
      mustContain(stderr, 'begin it anew', 'stderr of complete');
      mustEqual(provider.requests.length, 0, 'requests at the token endpoint');
    });

    await stage.check('the login can be begun anew, and the right one is taken', async () => {
      await person.authorise(await askWhenKnown(pizauth, 'work'));
      await mustBeActive(provider, await pizauth.token('work'));
    });
  },
};
