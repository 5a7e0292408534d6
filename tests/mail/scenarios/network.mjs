// The way to the provider: https with a private authority, and through a company's proxy.

import { must, mustContain, mustEqual, until } from '../harness.mjs';
import { Person } from '../browser.mjs';
import { EXIT, Pizauth } from '../pizauth.mjs';
import { Provider } from '../provider.mjs';
import { Proxy } from '../proxy.mjs';
import { makeCertificate } from '../tls.mjs';
import { BRISK, accountAt, mustBeActive } from './common.mjs';

export const privateAuthority = {
  name: 'https',
  async play(stage, { browser }) {
    const tls = await makeCertificate(stage.subdir('authority'));
    const provider = await Provider.start(stage, { tls });
    const person = await Person.sitDown(stage, browser);

    const loginAndRefresh = async (pizauth) => {
      const token = await pizauth.logIn('work', person);
      await mustBeActive(provider, token);
      await pizauth.run('refresh', 'work');
      await mustBeActive(provider, await pizauth.tokenOtherThan('work', token));
    };

    await stage.check('an unknown authority: the page and error_notify_cmd say so', async () => {
      const pizauth = await new Pizauth(stage, { work: accountAt(provider) }).serve();
      const page = await person.authorise(await pizauth.askForLogin('work'));
      must(/certificate|issuer|tls/i.test(page.text), () => `the page: ${page.text}`);
      await until('error_notify_cmd', () => pizauth.records('error').some(([, message]) => /certificate|issuer|tls/i.test(message)));
      mustEqual(provider.requests.length, 0, 'requests at the token endpoint');
    });

    await stage.check('ca_file names the authority: login and refresh', async () => {
      await loginAndRefresh(await new Pizauth(stage, { work: accountAt(provider, { ca_file: tls.ca }) }).serve());
    });

    await stage.check('SSL_CERT_FILE names the authority: login and refresh', async () => {
      await loginAndRefresh(await new Pizauth(stage, { work: accountAt(provider) }, {}, { SSL_CERT_FILE: tls.ca }).serve());
    });
  },
};

export const throughProxy = {
  name: 'proxy',
  async play(stage, { browser }) {
    const tls = await makeCertificate(stage.subdir('authority'));
    const provider = await Provider.start(stage, { tls, life: 4 });
    const proxy = await Proxy.start(stage);
    const person = await Person.sitDown(stage, browser);
    const account = accountAt(provider, { ...BRISK, ca_file: tls.ca });
    const pizauth = await new Pizauth(stage, { work: account }, {}, { HTTPS_PROXY: proxy.url }).serve();

    await stage.check('HTTPS_PROXY is used', async () => {
      await mustBeActive(provider, await pizauth.logIn('work', person));
      mustContain(proxy.asked.join(' '), `127.0.0.1:${provider.port}`, 'what the proxy was asked for');
    });

    for (const refusal of [407, 403]) {
      await stage.check(`the proxy refuses with ${refusal}: the login is kept, and goes on afterwards`, async () => {
        proxy.refusal = refusal;
        await until('the token to expire', async () => (await pizauth.run('show', 'work')).code === EXIT.tryLater);
        proxy.refusal = 0;
        await until('a token', async () => (await pizauth.run('show', 'work')).code === EXIT.done);
        await mustBeActive(provider, await pizauth.token('work'));
        mustEqual(pizauth.records('auth').length, 1, 'logins asked for');
      });
    }
  },
};
