// Providers that others wrote in other languages, each with its own login page, on loopback.
// Knows nothing of pizauth.

import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { freePort, listening, must, until } from './harness.mjs';
import { INSPECTOR, introspect } from './provider.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));

/** Where a person types and clicks at django-oauth-toolkit, which uses Django's own login page. */
export const DJANGO_PAGES = {
  user: '#id_username',
  password: '#id_password',
  submit: 'input[type=submit]',
  consent: 'input[name=allow]',
  refuse: 'input[value=Cancel]',
};

/** django-oauth-toolkit: see django_provider.py. */
export class DjangoProvider {
  static async start(stage, life) {
    const port = await freePort();
    const dir = stage.subdir('django');
    const env = { PATH: process.env.PATH, HOME: dir, PYTHONPATH: path.join(HERE, 'pip/modules'), PYTHONDONTWRITEBYTECODE: '1' };
    const child = stage.start('/usr/bin/python3', [path.join(HERE, 'django_provider.py'), port, dir, life], { env, log: path.join(dir, 'log') });
    await until('django-oauth-toolkit to listen', () => listening(port));
    must(child.status === undefined, 'django-oauth-toolkit has ended');
    return new DjangoProvider(`http://127.0.0.1:${port}`);
  }

  constructor(origin) { this.origin = origin; }

  get endpoints() { return { auth_uri: `${this.origin}/o/authorize/`, token_uri: `${this.origin}/o/token/` }; }

  introspect(token) {
    return introspect(`${this.origin.replace('//', `//${INSPECTOR.id}:${INSPECTOR.secret}@`)}/o/introspect/`, token);
  }
}
