// The main job at providers other than oidc-provider.

import { freePort, mustContain, mustEqual, until } from '../harness.mjs';
import { Person } from '../browser.mjs';
import { DjangoProvider, GlewlwydProvider, throughDjango, throughGlewlwyd } from '../otherproviders.mjs';
import { EXIT, Pizauth } from '../pizauth.mjs';
import { BRISK, mustBeActive } from './common.mjs';

/** Logs in, refreshes by hand and in time. */
async function mainJob(stage, provider, person, account, top) {
  const pizauth = await new Pizauth(stage, { work: account, other: account }, top).serve();
  const first = await stage.check('its own login page, consent, and a token that it calls active', async () => {
    const token = await pizauth.logIn('work', person);
    await mustBeActive(provider, token);
    mustEqual((await provider.introspect(`${token}x`)).active, false, 'active, of a token that is none');
    return token;
  });

  const second = await stage.check('refreshed by command', async () => {
    mustEqual((await pizauth.run('refresh', 'work')).code, EXIT.done, 'exit code of refresh');
    return pizauth.tokenOtherThan('work', first);
  });

  await stage.check('refreshed in time, three times in a row', async () => {
    let token = second;
    for (let count = 0; count < 3; count += 1) token = await pizauth.tokenOtherThan('work', token);
    await mustBeActive(provider, token);
    mustEqual(pizauth.records('auth').length, 1, 'logins asked for');
  });
  return pizauth;
}

export const djangoOauthToolkit = {
  name: 'django-oauth-toolkit',
  async play(stage, { browser }) {
    const provider = await DjangoProvider.start(stage, 6);
    const person = await Person.sitDown(stage, browser, 'jane', throughDjango);
    const pizauth = await mainJob(stage, provider, person, {
      ...provider.endpoints,
      ...BRISK,
      client_id: 'pizauth',
      scopes: ['imap', 'smtp'],
      // It lets the port differ for loopback addresses only, not for the name.
      redirect_uri: 'http://127.0.0.1/',
    });

    await stage.check('refused in the browser', async () => {
      const page = await person.refuse(await pizauth.askForLogin('other'));
      mustContain(page.text, 'access_denied', 'the page');
      await until('error_notify_cmd', () => pizauth.records('error').some(([, message]) => message.includes('access_denied')));
    });
  },
};

export const glewlwyd = {
  name: 'glewlwyd',
  async play(stage, { browser }) {
    // It wants the redirect URI's port as it was registered.
    const listen = `127.0.0.1:${await freePort()}`;
    const provider = await GlewlwydProvider.start(stage, 6, `http://${listen}/`);
    const person = await Person.sitDown(stage, browser, 'jane', throughGlewlwyd);
    const account = { ...provider.endpoints, ...BRISK, client_id: 'pizauth', scopes: ['imap', 'smtp'], redirect_uri: 'http://127.0.0.1/' };
    await mainJob(stage, provider, person, account, { http_listen: listen });
  },
};
