// Providers that others wrote in other languages, each with its own login page, on loopback.
// Knows nothing of pizauth.

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { PASSWORD, forms } from './browser.mjs';
import { Verdict, command, freePort, listening, must, mustEqual, until } from './harness.mjs';
import { INSPECTOR, introspect } from './provider.mjs';

/** Django makes its tables first, which takes a busy machine a while. */
const START = 90_000;
const HERE = path.dirname(fileURLToPath(import.meta.url));

/** The way through django-oauth-toolkit's pages; the login page is Django's own. */
export const throughDjango = forms({
  user: '#id_username',
  password: '#id_password',
  submit: 'input[type=submit]',
  consent: 'input[name=allow]',
  refuse: 'input[value=Cancel]',
});

/** django-oauth-toolkit: see django_provider.py. */
export class DjangoProvider {
  static async start(stage, life) {
    const port = await freePort();
    const dir = stage.subdir('django');
    const env = { PATH: process.env.PATH, HOME: dir, PYTHONPATH: path.join(HERE, 'pip/modules'), PYTHONDONTWRITEBYTECODE: '1' };
    const log = path.join(dir, 'log');
    stage.clue(() => `django's log:\n${fs.readFileSync(log, 'utf8').split('\n').slice(-12).join('\n')}`);
    const child = stage.start('/usr/bin/python3', [path.join(HERE, 'django_provider.py'), port, dir, life], { env, log });
    await until('django-oauth-toolkit to listen', () => {
      if (child.status !== undefined) throw new Verdict('django-oauth-toolkit has ended');
      return listening(port);
    }, START);
    return new DjangoProvider(`http://127.0.0.1:${port}`);
  }

  constructor(origin) { this.origin = origin; }

  get endpoints() { return { auth_uri: `${this.origin}/o/authorize/`, token_uri: `${this.origin}/o/token/` }; }

  introspect(token) {
    return introspect(`${this.origin.replace('//', `//${INSPECTOR.id}:${INSPECTOR.secret}@`)}/o/introspect/`, token);
  }
}

/** The way through Glewlwyd's login page: one page, which a script fills. There is no refusing. */
export async function throughGlewlwyd(page, login) {
  const goOn = 'button:has-text("Continue")';
  const grants = 'input[id^=grant-]';
  await page.waitForSelector(`#username, ${grants}, ${goOn}`);
  if (await page.$('#username')) {
    await page.fill('#username', login);
    await page.fill('#password', PASSWORD);
    await page.click('#loginbut');
  }
  await page.waitForSelector(`${grants}, ${goOn}`);
  if (await page.$(grants)) {
    for (const grant of await page.$$(grants)) await grant.check();
    await page.click('button:has-text("Grant access")');
  }
  const [answer] = await Promise.all([page.waitForNavigation(), page.click(goOn)]);
  return answer;
}

/** Where Debian's package has what Glewlwyd starts from. */
const GLEWLWYD = { share: '/usr/share/glewlwyd', configuration: '/etc/glewlwyd/glewlwyd.conf', database: '/usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz' };

/** Glewlwyd, written in C: says `"token_type":"bearer"`, compares redirect URIs with their ports. */
export class GlewlwydProvider {
  /** `redirect` is the only redirect URI of its client `pizauth`. */
  static async start(stage, life, redirect) {
    const port = await freePort();
    const provider = new GlewlwydProvider(`http://127.0.0.1:${port}`, stage.subdir('glewlwyd'));
    await provider.prepare(port);
    const log = path.join(provider.dir, 'log');
    stage.start('glewlwyd', [`--config-file=${path.join(provider.dir, 'conf')}`], { log });
    stage.clue(() => `glewlwyd's log:\n${fs.readFileSync(log, 'utf8').split('\n').slice(-12).join('\n')}`);
    await until('Glewlwyd to listen', () => listening(port));
    await provider.fill(life, redirect);
    return provider;
  }

  constructor(origin, dir) {
    this.origin = origin;
    this.dir = dir;
    this.cookie = '';
  }

  get endpoints() { return { auth_uri: `${this.origin}/api/oidc/auth`, token_uri: `${this.origin}/api/oidc/token` }; }

  /** It tells only the client itself about a token; what else it does with one is to say whose it is. */
  async introspect(token) {
    const answer = await fetch(`${this.origin}/api/oidc/userinfo`, { headers: { authorization: `Bearer ${token}`, connection: 'close' } });
    return { active: answer.ok, status: answer.status };
  }

  /** Its pages, its database and its configuration, from those of the package. */
  async prepare(port) {
    const web = path.join(this.dir, 'web');
    fs.cpSync(path.join(GLEWLWYD.share, 'webapp'), web, { recursive: true, dereference: true, filter: (file) => !file.endsWith('/config.json') });
    fs.copyFileSync(path.join(GLEWLWYD.share, 'templates/config.json'), path.join(web, 'config.json'));
    const { code, stderr } = await command('sh', ['-c', `gunzip -c ${GLEWLWYD.database} | sqlite3 ${this.dir}/db`]);
    mustEqual(code, 0, `exit code of sqlite3 (${stderr})`);
    const ours = { port, bind_address: '"127.0.0.1"', external_url: `"${this.origin}"`, log_mode: '"console"', log_level: '"INFO"', static_files_path: `"${web}/"` };
    const theirs = fs.readFileSync(GLEWLWYD.configuration, 'utf8').split('\n')
      .filter((line) => !line.startsWith('@include') && !line.startsWith('log_file') && !(line.split('=')[0].trim() in ours));
    const options = Object.entries(ours).map(([name, value]) => `${name}=${value}`);
    fs.writeFileSync(path.join(this.dir, 'conf'), [...theirs, ...options, `database = { type = "sqlite3"; path = "${this.dir}/db"; };`, ''].join('\n'));
  }

  /** Logs in as its administrator, and makes scopes, a user, a client, and the OpenID plugin. */
  async fill(life, redirect) {
    await this.post('auth', { username: 'admin', password: 'password' });
    for (const name of ['imap', 'smtp']) {
      await this.post('scope', { name, display_name: name, password_required: true, password_max_age: 0, scheme: {} });
    }
    await this.post('user', { username: 'jane', password: PASSWORD, scope: ['imap', 'smtp'], enabled: true });
    await this.post('client', {
      client_id: 'pizauth',
      name: 'pizauth',
      enabled: true,
      scope: [],
      confidential: false,
      authorization_type: ['code', 'refresh_token'],
      redirect_uri: [redirect],
      token_endpoint_auth_method: ['none'],
    });
    await this.post('mod/plugin', { module: 'oidc', name: 'oidc', display_name: 'oidc', order_rank: 0, parameters: this.plugin(life) });
  }

  plugin(life) {
    return {
      iss: `${this.origin}/api/oidc`,
      'jwt-type': 'sha',
      'jwt-key-size': '256',
      key: 'a key that signs tokens on loopback',
      'subject-type': 'public',
      'access-token-duration': life,
      'refresh-token-duration': 86_400,
      'code-duration': 60,
      'refresh-token-rolling': true,
      // Each use brings another refresh token, and the old one is spent.
      'refresh-token-one-use': 'always',
      'allow-non-oidc': true,
      'auth-type-code-enabled': true,
      'auth-type-code-revoke-replayed': true,
      'auth-type-refresh-enabled': true,
      'auth-type-id-token-enabled': true,
      'pkce-allowed': true,
      'pkce-required': true,
    };
  }

  async post(what, body) {
    const answer = await fetch(`${this.origin}/api/${what}/`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', cookie: this.cookie, connection: 'close' },
      body: JSON.stringify(body),
    });
    must(answer.ok, `Glewlwyd's ${what} answered ${answer.status}: ${await answer.text()}`);
    this.cookie ||= answer.headers.get('set-cookie')?.split(';')[0] ?? '';
  }
}
