// Logging in with a code that is typed into a browser anywhere (RFC 8628), from a real terminal.

import { must, mustContain, mustEqual, until } from '../harness.mjs';
import { Person } from '../browser.mjs';
import { EXIT, Pizauth } from '../pizauth.mjs';
import { Provider, deviceClient } from '../provider.mjs';
import { accountAt, mustBeActive } from './common.mjs';

/** What `show` says where a code is to be typed in. */
const LOGIN_NEEDED = /^ERROR - Token unavailable until authorised with URL (\S+) and code (\S+)\n$/;
/** What a person reads from the terminal: where, and what. */
const INSTRUCTIONS = /browser on any machine[^]*?\n {4}(http\S+)\n[^]*?type in the code\n\n {4}(\S+)\n/;

/** An account of a client without a browser. */
export function deviceAccountAt(provider, more = {}) {
  return { client_id: 'pizauth', grant: 'device_code', token_uri: provider.endpoints.token_uri, device_uri: provider.deviceUri, scopes: ['openid', 'imap', 'smtp'], ...more };
}

/** Starts `pizauth login` in a terminal, and reads the URL and the code as a person would. */
async function begin(pizauth, args, options) {
  const terminal = pizauth.terminal(['login', ...args], options);
  const [, url, code] = await terminal.see(INSTRUCTIONS);
  return { terminal, url, code };
}

export const deviceCode = {
  name: 'device code',
  async play(stage, { browser }) {
    const provider = await Provider.start(stage, { clients: [deviceClient('pizauth')] });
    const person = await Person.sitDown(stage, browser);
    const pizauth = await new Pizauth(stage, { work: deviceAccountAt(provider) }).serve();

    const [url, code] = await stage.check('show gives URL and code with exit code 3', async () => {
      const shown = await until('the code', async () => {
        const { code: exit, stdout, stderr } = await pizauth.run('show', 'work');
        // The provider is asked for the code first, and show waits for nobody.
        if (exit === EXIT.tryLater) return undefined;
        mustEqual(exit, EXIT.loginNeeded, 'exit code');
        mustEqual(stdout, '', 'stdout');
        return LOGIN_NEEDED.exec(stderr);
      });
      const { stdout } = await pizauth.run('status', '--json');
      mustContain(stdout, shown[2], 'status');
      return shown.slice(1);
    });

    await stage.check('show -u keeps URL and code to itself', async () => {
      mustEqual((await pizauth.run('show', '-u', 'work')).stderr, 'ERROR - Token unavailable until authorised\n', 'stderr');
    });

    await stage.check('auth_notify_cmd is told account, URL and code', async () => {
      const told = await until('auth_notify_cmd', () => pizauth.records('auth')[0]);
      mustEqual(told.join(' '), `work ${url} ${code}`, 'PIZAUTH_ACCOUNT, PIZAUTH_URL and PIZAUTH_CODE');
    });

    const login = await stage.check('login joins in: the terminal shows the same URL and code, and a QR code that a phone reads', async () => {
      const begun = await begin(pizauth, ['work']);
      mustEqual(`${begun.url} ${begun.code}`, `${url} ${code}`, 'what the terminal shows');
      await begun.terminal.see(/waiting for the login/);
      mustEqual(begun.terminal.scan(), `${url}?user_code=${code}`, 'what the QR code says');
      return begun;
    });

    await stage.check('a wrong code gets nobody in', async () => {
      mustContain((await person.typeCode(url, 'BCDF-GHJK')).text, 'incorrect', 'the page');
      mustEqual(login.terminal.child.status, undefined, 'exit code of login');
    });

    await stage.check('the browser types the code in, and login ends with "logged in"', async () => {
      mustContain((await person.typeCode(url, code)).text, 'Success', 'the page');
      await login.terminal.end(EXIT.done, 'login');
      await login.terminal.see(/account 'work' is logged in; its token is good until .* and is refreshed by itself\n/);
    });

    const token = await stage.check('show prints a token that the provider knows', async () => {
      const shown = await pizauth.token('work');
      const said = await mustBeActive(provider, shown);
      mustContain(said.scope, 'imap', 'scope');
      mustEqual(said.sub, 'jane', 'sub');
      await until('token_new', () => pizauth.events('work', 'token_new') === 1);
      return shown;
    });

    await stage.check('it is refreshed like any other', async () => {
      mustEqual((await pizauth.run('refresh', 'work')).code, EXIT.done, 'exit code of refresh');
      await mustBeActive(provider, await pizauth.tokenOtherThan('work', token));
    });

    await stage.check('to log in again there is no need, and login says so', async () => {
      const again = pizauth.terminal(['login', 'work']);
      await again.end(EXIT.done, 'login');
      mustContain(again.text, 'logged in already', 'the terminal');
    });
  },
};

export const deviceTrouble = {
  name: 'device code in vain',
  async play(stage, { browser }) {
    const provider = await Provider.start(stage, { clients: [deviceClient('pizauth')] });
    const person = await Person.sitDown(stage, browser);
    // The account comes back to a browser; a code is asked for by hand.
    const account = accountAt(provider, { device_uri: provider.deviceUri });
    const pizauth = await new Pizauth(stage, { work: account }).serve();

    await stage.check('asked for while a browser is awaited, the code takes its place', async () => {
      const old = await pizauth.askForLogin('work');
      const { terminal, url, code } = await begin(pizauth, ['--device', 'work']);
      const page = await person.authorise(old);
      must(page.status >= 400 && page.status < 500, `HTTP status ${page.status}`);
      const { stderr } = await pizauth.run('show', 'work');
      mustEqual(LOGIN_NEEDED.exec(stderr)?.slice(1).join(' '), `${url} ${code}`, 'what show gives');
      terminal.type('\x03');
      await terminal.child.ended;
    });

    await stage.check('refused in the browser: login says so, with exit code 1, and error_notify_cmd is told', async () => {
      const { terminal, url, code } = await begin(pizauth, ['--device', 'work']);
      await terminal.see(/waiting for the login/);
      await person.typeCode(url, code, false);
      await terminal.end(EXIT.error, 'login');
      await terminal.see(/ERROR - account 'work' was not logged in: .*(refused|access_denied)/);
      await until('error_notify_cmd', () => pizauth.records('error').some(([name, message]) => name === 'work' && /refused|access_denied/.test(message)));
    });

    await stage.check('nobody types the code in: login says that it expired, with exit code 3', async () => {
      // pizauth asks after 5 s, and knows the end by itself. oidc-provider counts in whole seconds,
      // and the question must come well before its last one.
      provider.codeLife = 9;
      const { terminal } = await begin(pizauth, ['--device', 'work']);
      await terminal.end(EXIT.loginNeeded, 'login');
      await terminal.see(/ERROR - account 'work' was not logged in: .*expired/);
      provider.codeLife = 600;
    });

    await stage.check('no QR code where it cannot be drawn: a narrow terminal, and one without UTF-8', async () => {
      for (const options of [{ columns: 30 }, { env: { LANG: 'C' } }, { env: { TERM: 'dumb' } }]) {
        const { terminal } = await begin(pizauth, ['--device', 'work'], options);
        await terminal.see(/waiting for the login/);
        must(!/[▀▄█]/.test(terminal.text), () => `the terminal shows ${terminal.text}`);
        terminal.type('\x03');
        await terminal.child.ended;
      }
    });

    await stage.check('ctrl-c left the login open: the code still works', async () => {
      const { terminal, url, code } = await begin(pizauth, ['--device', 'work']);
      terminal.type('\x03');
      await terminal.child.ended;
      await person.typeCode(`${url}?user_code=${code}`, code);
      await until('the token', async () => mustBeActive(provider, await pizauth.token('work')));
    });
  },
};
