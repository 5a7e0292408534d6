// Clients without a user (client credentials), and secrets that a command prints.

import fs from 'node:fs';
import path from 'node:path';

import { must, mustContain, mustEqual, until } from '../harness.mjs';
import { Person } from '../browser.mjs';
import { EXIT, Pizauth } from '../pizauth.mjs';
import { Provider, confidentialClient, deviceClient, serviceClient } from '../provider.mjs';
import { accountAt, mustBeActive } from './common.mjs';
import { deviceAccountAt } from './device.mjs';

/** What must be encoded as in a form before it becomes part of a Basic header: all of ASCII. */
const ASCII = Array.from({ length: 0x7f - 0x20 }, (_, i) => String.fromCharCode(0x20 + i)).join('');
const SCOPES = ['imap', 'smtp'];

function serviceAt(provider, id, more) {
  return { client_id: id, grant: 'client_credentials', token_uri: provider.endpoints.token_uri, revoke_uri: provider.revokeUri, scopes: SCOPES, ...more };
}

/** A password store: `client_secret_cmd` reads it, and each time is counted. */
class Store {
  constructor(stage) {
    this.secret = path.join(stage.subdir('store'), 'secret');
    this.command = `echo "$PIZAUTH_ACCOUNT" >> ${this.secret}.asked; cat ${this.secret}`;
  }

  put(text) { fs.writeFileSync(this.secret, text, { mode: 0o600 }); }

  get asked() { return fs.readFileSync(`${this.secret}.asked`, 'utf8').split('\n').length - 1; }
}

/** What a form says, by a browser's rules. */
function formDecoded(text) { return new URLSearchParams(`x=${text}`).get('x'); }

export const clientCredentials = {
  name: 'client credentials',
  async play(stage) {
    const client = serviceClient('robot', 'first', 'post');
    const provider = await Provider.start(stage, { clients: [client] });
    const store = new Store(stage);
    store.put('first\nlogin: robot\n');
    const pizauth = await new Pizauth(stage, { robot: serviceAt(provider, 'robot', { client_secret_cmd: store.command }) }).serve();

    const token = await stage.check('show --wait gets a token without anybody, with the secret from the command', async () => {
      const { code, stdout, stderr } = await pizauth.run('show', '--wait', 'robot');
      mustEqual(code, EXIT.done, `exit code of show (it said ${JSON.stringify(stderr)})`);
      const said = await mustBeActive(provider, stdout.trim());
      mustEqual(said.client_id, 'robot', 'client_id');
      mustEqual(said.scope, SCOPES.join(' '), 'scope');
      mustEqual(pizauth.records('auth').length, 0, 'logins asked for');
      return stdout.trim();
    });

    await stage.check('login says that there is no need of one', async () => {
      const terminal = pizauth.terminal(['login', 'robot']);
      await terminal.end(EXIT.error, 'login');
      mustContain(terminal.text, 'needs no login', 'the terminal');
    });

    await stage.check('refresh asks anew, and the command is not run again', async () => {
      mustEqual((await pizauth.run('refresh', 'robot')).code, EXIT.done, 'exit code of refresh');
      await mustBeActive(provider, await pizauth.tokenOtherThan('robot', token));
      mustEqual(store.asked, 1, 'how often the command was run');
    });

    await stage.check('the secret changes at both ends: one refused request, and the command brings the new one', async () => {
      provider.register({ ...client, client_secret: 'second' });
      store.put('second\n');
      const { code, stderr } = await pizauth.run('refresh', 'robot');
      mustEqual(code, EXIT.done, `exit code of refresh (it said ${JSON.stringify(stderr)})`);
      mustEqual(store.asked, 2, 'how often the command was run');
      const answers = provider.requests.slice(-2).map(({ error, status }) => error ?? status);
      mustEqual(answers.join(), 'invalid_client,200', 'answers of the token endpoint');
    });

    await stage.check('it changes at the provider first: told as invalid_client, and right once the command has it', async () => {
      provider.register({ ...client, client_secret: 'third' });
      const { code, stderr } = await pizauth.run('refresh', 'robot');
      mustEqual(code, EXIT.error, 'exit code of refresh');
      mustContain(stderr, 'invalid_client', 'stderr of refresh');
      mustEqual(store.asked, 3, 'how often the command was run');
      store.put('third');
      mustEqual((await pizauth.run('refresh', 'robot')).code, EXIT.done, 'exit code of refresh');
      await mustBeActive(provider, await pizauth.token('robot'));
    });

    await stage.check('a command that fails is told, and the token stays', async () => {
      const kept = await pizauth.token('robot');
      fs.rmSync(store.secret);
      await pizauth.run('reload');
      const { code, stderr } = await pizauth.run('refresh', 'robot');
      must(code === EXIT.tryLater || code === EXIT.error, `exit code of refresh: ${code}`);
      mustContain(stderr, 'client_secret_cmd', 'stderr of refresh');
      mustEqual(await pizauth.token('robot'), kept, 'the token');
      store.put('third');
    });

    await stage.check('revoke gives the token back, with a secret that changed meanwhile', async () => {
      await pizauth.run('refresh', 'robot');
      const kept = await until('the token', () => pizauth.token('robot'));
      provider.register({ ...client, client_secret: 'fourth' });
      store.put('fourth');
      const { code, stderr } = await pizauth.run('revoke', 'robot');
      mustEqual(code, EXIT.done, `exit code of revoke (it said ${JSON.stringify(stderr)})`);
      mustEqual((await provider.introspect(kept)).active, false, 'active');
    });
  },
};

export const basicAuthentication = {
  name: 'basic authentication',
  async play(stage) {
    // oidc-provider takes printable ASCII only, as RFC 6749 appendix A has it.
    const clients = ['post', 'basic'].map((method) => serviceClient(`${ASCII} ${method}`, `${method}: ${ASCII}%3A%`, method));
    const provider = await Provider.start(stage, { clients });
    const accounts = clients.map((client, i) => [['post', 'basic'][i], serviceAt(provider, client.client_id, { client_secret: client.client_secret, client_auth: ['post', 'basic'][i] })]);
    const pizauth = await new Pizauth(stage, Object.fromEntries(accounts)).serve();

    await stage.check('identifier and secret of every printable ASCII character: the provider knows the client', async () => {
      for (const { client_id: id } of clients) {
        const name = id.split(' ').at(-1);
        const { code, stdout, stderr } = await pizauth.run('show', '--wait', name);
        mustEqual(code, EXIT.done, `exit code of show ${name} (it said ${JSON.stringify(stderr)})`);
        mustEqual((await mustBeActive(provider, stdout.trim())).client_id, id, 'client_id');
      }
    });

    await stage.check('the header has both parts form-encoded, and neither is in the body', async () => {
      const [post, basic] = clients.map((client) => provider.requests.find((request) => request.client === client.client_id));
      mustEqual(post.authorization, undefined, 'Authorization of client_auth "post"');
      const { client_id: id, client_secret: secret } = clients[1];
      const header = Buffer.from(basic.authorization.replace(/^Basic /, ''), 'base64').toString();
      const parts = header.split(':');
      // Nothing is left that means something in a form or a header, and so one colon only.
      must(parts.length === 2 && parts.every((part) => /^([\w.~-]|%[0-9A-F]{2})*$/.test(part)), () => `the header says ${header}`);
      mustEqual(parts.map(formDecoded).join('\n'), `${id}\n${secret}`, 'Authorization of client_auth "basic"');
      must(!basic.post, 'the secret is in the body, too');
    });
  },
};

export const secretFromCommand = {
  name: 'secret from a command',
  async play(stage, { browser }) {
    const browsing = confidentialClient('browsing', 'first', 'basic');
    const device = { ...deviceClient('device'), client_secret: 'first', token_endpoint_auth_method: 'client_secret_basic' };
    const provider = await Provider.start(stage, { clients: [browsing, device] });
    const person = await Person.sitDown(stage, browser);
    const store = new Store(stage);
    store.put('first');
    const secret = { client_secret_cmd: store.command, client_auth: 'basic' };
    const pizauth = await new Pizauth(stage, {
      browsing: accountAt(provider, { client_id: 'browsing', ...secret }),
      device: deviceAccountAt(provider, { client_id: 'device', ...secret }),
    }).serve();
    const change = (text) => {
      for (const client of [browsing, device]) provider.register({ ...client, client_secret: text });
      store.put(text);
    };

    await stage.check('it is not asked for before it is needed', async () => {
      await pizauth.askForLogin('browsing');
      must(!fs.existsSync(`${store.secret}.asked`), 'the command was run');
    });

    await stage.check('a login with a browser, whose code is exchanged with it', async () => {
      await mustBeActive(provider, await pizauth.logIn('browsing', person));
      mustEqual(store.asked, 1, 'how often the command was run');
    });

    await stage.check('it changes while the browser is away: the code is exchanged with the new one', async () => {
      // That lets go of the first one.
      await pizauth.run('revoke', 'browsing');
      const url = await pizauth.askForLogin('browsing');
      const before = provider.requests.length;
      change('second');
      const page = await person.authorise(url);
      mustEqual(page.status, 200, 'HTTP status');
      await mustBeActive(provider, await pizauth.token('browsing'));
      const answers = provider.requests.slice(before).map(({ error, status }) => error ?? status);
      mustEqual(answers.join(), '200', 'answers of the token endpoint');
    });

    await stage.check('it changes while the code is typed in: the login goes on with the new one', async () => {
      const terminal = pizauth.terminal(['login', 'device']);
      const [, url, code] = await terminal.see(/\n {4}(http\S+)\n[^]*?type in the code\n\n {4}(\S+)\n/);
      change('third');
      await person.typeCode(url, code);
      await terminal.end(EXIT.done, 'login');
      await mustBeActive(provider, await pizauth.token('device'));
    });
  },
};
