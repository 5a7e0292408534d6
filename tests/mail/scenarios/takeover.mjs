// A server is replaced while logins are under way: whoever does them notices nothing.

import { mustContain, mustEqual, until } from '../harness.mjs';
import { Person } from '../browser.mjs';
import { EXIT, Pizauth } from '../pizauth.mjs';
import { Provider, deviceClient } from '../provider.mjs';
import { mustBeActive } from './common.mjs';
import { deviceAccountAt } from './device.mjs';
import { certificateAt, comingBackSecurely, strictPerson } from './https_redirect.mjs';

export const takeOverDevice = {
  name: 'take-over with a device code',
  async play(stage, { browser }) {
    const provider = await Provider.start(stage, { clients: [deviceClient('pizauth')] });
    const person = await Person.sitDown(stage, browser);
    const pizauth = await new Pizauth(stage, { work: deviceAccountAt(provider) }).serve();

    await stage.check('the code is typed in after the server was replaced, and the login that waits in the terminal ends well', async () => {
      const terminal = pizauth.terminal(['login', 'work']);
      const [, url, code] = await terminal.see(/\n {4}(http\S+)\n[^]*?type in the code\n\n {4}(\S+)\n/);
      await terminal.see(/waiting for the login/);
      await pizauth.replace();
      const { user_code: kept } = await pizauth.status('work');
      mustEqual(kept, code, 'the code after that');
      mustContain((await person.typeCode(url, code)).text, 'Success', 'the page');
      await terminal.end(EXIT.done, 'login');
      await terminal.see(/account 'work' is logged in/);
      await mustBeActive(provider, await pizauth.token('work'));
      await until('token_new', () => pizauth.events('work', 'token_new') === 1);
    });

    await stage.check('what came of it is handed on, too, and refreshed', async () => {
      const token = await pizauth.token('work');
      await pizauth.replace();
      mustEqual(await pizauth.token('work'), token, 'the token');
      mustEqual((await pizauth.run('refresh', 'work')).code, EXIT.done, 'exit code of refresh');
      await mustBeActive(provider, await pizauth.tokenOtherThan('work', token));
    });
  },
};

export const takeOverSecurely = {
  name: 'take-over with https',
  async play(stage) {
    const { port, provider, pizauth } = await comingBackSecurely(stage);

    await stage.check('the browser comes back over https to the new server, which shows the same certificate', async () => {
      const terminal = pizauth.terminal(['login', '--no-browser', 'work']);
      await terminal.see(/waiting for the login/);
      const url = await pizauth.askForLogin('work');
      const before = JSON.parse((await pizauth.run('info', '-j')).stdout).server.https_fingerprint;
      const person = await strictPerson(stage, await certificateAt(port));
      await pizauth.replace();
      mustEqual(JSON.parse((await pizauth.run('info', '-j')).stdout).server.https_fingerprint, before, 'fingerprint');
      mustEqual(await pizauth.askForLogin('work'), url, 'the URL');
      const page = await person.authorise(url);
      mustEqual(page.status, 200, 'HTTP status');
      await terminal.end(EXIT.done, 'login');
      await mustBeActive(provider, await pizauth.token('work'));
    });
  },
};
