// The person refuses, and redirects that are not what they seem.

import { must, mustContain, mustEqual, until } from '../harness.mjs';
import { Person } from '../browser.mjs';
import { Pizauth } from '../pizauth.mjs';
import { Provider } from '../provider.mjs';
import { accountAt, mustBeActive } from './common.mjs';

export const refusal = {
  name: 'refusal',
  async play(stage, { browser }) {
    const provider = await Provider.start(stage);
    const person = await Person.sitDown(stage, browser);
    const pizauth = await new Pizauth(stage, { work: accountAt(provider) }).serve();
    const url = await pizauth.askForLogin('work');

    await stage.check("the browser's page says access_denied and the account", async () => {
      const page = await person.refuse(url);
      mustContain(page.text, 'access_denied', 'the page');
      mustContain(page.text, 'work', 'the page');
    });

    await stage.check('error_notify_cmd is told access_denied', async () => {
      const [account, message] = await until('error_notify_cmd', () => pizauth.records('error')[0]);
      mustEqual(account, 'work', 'PIZAUTH_ACCOUNT');
      mustContain(message, 'access_denied', 'PIZAUTH_MSG');
    });

    await stage.check('show offers a new URL, which works', async () => {
      const again = await pizauth.askForLogin('work');
      must(again !== url, 'the URL is the one that was refused');
      await person.authorise(again);
      await mustBeActive(provider, await pizauth.token('work'));
    });
  },
};

/** What a browser, or whoever else is on this machine, may send to the redirect listener. */
function wrongRedirects(good) {
  const change = (name, value) => {
    const url = new URL(good);
    if (value === undefined) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
    return url.href;
  };
  return {
    'a wrong state': change('state', 'A'.repeat(43)),
    'no state': change('state'),
    'no code': change('code'),
    'another issuer': change('iss', 'https://provider.invalid'),
    'markup in the error': `${change('error', '<b onclick=alert(1)>')}&error_description=%3Cscript%3Ealert(1)%3C/script%3E`,
    'another path': new URL('/elsewhere', good).href,
  };
}

export const strangeRedirects = {
  name: 'strange redirects',
  async play(stage, { browser }) {
    const provider = await Provider.start(stage);
    const person = await Person.sitDown(stage, browser);
    const pizauth = await new Pizauth(stage, { work: accountAt(provider) }).serve();
    const token = await pizauth.logIn('work', person);
    const good = person.redirects.at(-1);

    await stage.check('the same redirect again gets a friendly page and changes nothing', async () => {
      const exchanges = provider.requests.length;
      const page = await person.open(good);
      must(page.text.trim().length > 20, () => `the page says only: ${page.text}`);
      must(page.status >= 400 && page.status < 500, `HTTP status ${page.status}`);
      mustEqual(provider.requests.length, exchanges, 'requests at the token endpoint');
      mustEqual(await pizauth.token('work'), token, 'the token');
      await mustBeActive(provider, token);
    });

    for (const [what, url] of Object.entries(wrongRedirects(good))) {
      await stage.check(`${what}: a page for people, and nothing changes`, async () => {
        const page = await person.open(url);
        must(page.text.trim().length > 20, () => `the page says only: ${page.text}`);
        must(page.status >= 400 && page.status < 500, `HTTP status ${page.status}`);
        mustEqual(await pizauth.token('work'), token, 'the token');
      });
    }

    await stage.check('while a login is wanted, they leave it usable', async () => {
      await pizauth.run('revoke', 'work');
      const url = await pizauth.askForLogin('work');
      for (const wrong of Object.values(wrongRedirects(good))) await person.open(wrong);
      mustEqual(await pizauth.askForLogin('work'), url, 'the URL');
      await person.authorise(url);
      await mustBeActive(provider, await pizauth.token('work'));
    });
  },
};
