// Kinds of clients and redirect URIs, and more than one account.

import { must, mustEqual, until } from '../harness.mjs';
import { Person } from '../browser.mjs';
import { Pizauth } from '../pizauth.mjs';
import { Provider, confidentialClient, publicClient } from '../provider.mjs';
import { accountAt, mustBeActive } from './common.mjs';

/** What a shell, a URL, a form or a configuration file could trip over. */
const NASTY = { id: 'id:of/mine+&', secret: 's3cr%t+&=:;"\\ \'$HOME/~' };

export const confidential = {
  name: 'confidential client',
  async play(stage, { browser }) {
    const clients = ['post', 'basic'].map((method) => confidentialClient(`${NASTY.id}${method}`, NASTY.secret, method));
    const provider = await Provider.start(stage, { clients });
    const account = (method) => accountAt(provider, { client_id: `${NASTY.id}${method}`, client_secret: NASTY.secret, client_auth: method });
    const person = await Person.sitDown(stage, browser);
    const pizauth = await new Pizauth(stage, { post: account('post'), basic: account('basic') }).serve();

    for (const method of ['post', 'basic']) {
      await stage.check(`logs in and refreshes by client_auth "${method}", one method a request`, async () => {
        const token = await pizauth.logIn(method, person);
        await mustBeActive(provider, token);
        await pizauth.run('refresh', method);
        await mustBeActive(provider, await pizauth.tokenOtherThan(method, token));
        const requests = provider.requests.filter(({ client }) => client === `${NASTY.id}${method}`);
        mustEqual(requests.length, 2, 'requests');
        must(requests.every(({ post, basic }) => post === (method === 'post') && basic === (method === 'basic')), () => JSON.stringify(requests));
        must(requests[0].pkce, 'no PKCE');
      });
    }

    await stage.check('a wrong secret is told by the page and error_notify_cmd', async () => {
      pizauth.accounts.post.client_secret = 'wrong';
      pizauth.configure();
      await pizauth.run('reload');
      const page = await person.authorise(await pizauth.askForLogin('post'));
      must(page.text.includes('invalid_client'), () => `the page: ${page.text}`);
      await until('error_notify_cmd', () => pizauth.records('error').some(([, message]) => message.includes('invalid_client')));
    });
  },
};

export const redirectUris = {
  name: 'redirect URI',
  async play(stage, { browser }) {
    const provider = await Provider.start(stage);
    const hosts = { localhost: 'localhost', four: '127.0.0.1', six: '[::1]' };
    const accounts = Object.fromEntries(Object.entries(hosts).map(([name, host]) => [name, accountAt(provider, { redirect_uri: `http://${host}/` })]));
    const person = await Person.sitDown(stage, browser);
    const pizauth = await new Pizauth(stage, accounts).serve();

    for (const [name, host] of Object.entries(hosts)) {
      await stage.check(`http://${host}/ brings the browser back`, async () => {
        await mustBeActive(provider, await pizauth.logIn(name, person));
        mustEqual(new URL(person.redirects.at(-1)).hostname, host, 'host of the redirect');
      });
    }
  },
};

export const twoAccounts = {
  name: 'two accounts',
  async play(stage, { browser }) {
    const provider = await Provider.start(stage, { clients: [publicClient('pizauth'), publicClient('second')] });
    const person = await Person.sitDown(stage, browser);
    const pizauth = await new Pizauth(stage, {
      'work mail': accountAt(provider),
      'zu Hause <ä&"\\>': accountAt(provider, { client_id: 'second', scopes: ['openid', 'offline_access', 'pop'] }),
    }).serve();
    const names = Object.keys(pizauth.accounts);

    await stage.check('at once in one browser: each page names its account', async () => {
      const urls = await Promise.all(names.map((name) => pizauth.askForLogin(name)));
      must(urls[0] !== urls[1], 'the URLs are the same');
      // The second begun is the first ended.
      const pages = [await person.authorise(urls[1]), await person.authorise(urls[0])];
      must(pages[0].text.includes(names[1]) && !pages[0].text.includes(names[0]), () => `the first page: ${pages[0].text}`);
      must(pages[1].text.includes(names[0]) && !pages[1].text.includes(names[1]), () => `the second page: ${pages[1].text}`);
    });

    await stage.check('each has its own token, with its own scope', async () => {
      const said = [];
      for (const name of names) said.push(await mustBeActive(provider, await pizauth.token(name)));
      mustEqual(said[0].scope, 'openid offline_access imap smtp', 'scope of the first');
      mustEqual(said[1].scope, 'openid offline_access pop', 'scope of the second');
      mustEqual(said[1].client_id, 'second', 'client of the second');
    });

    await stage.check('revoking one leaves the other alone', async () => {
      const other = await pizauth.token(names[1]);
      await pizauth.run('revoke', names[0]);
      await pizauth.askForLogin(names[0]);
      mustEqual(await pizauth.token(names[1]), other, 'the token of the other');
    });
  },
};
