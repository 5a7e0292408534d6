// The npm oidc-provider, a certified OpenID Connect provider with login and consent pages, on
// loopback. It can be stopped and started again at the same port, with or without its memory, and
// tells what happened at it. Knows nothing of pizauth.

import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';

import { Fault, freePort } from './harness.mjs';

// It says on the console that its login page is for development only, and which Node it would
// rather have: we know.
console.info = () => {};
console.warn = () => {};
const { Provider: OidcProvider } = await import('oidc-provider');

/** What a mail provider's client may ask for, beside what OpenID Connect names. */
const MAIL_SCOPES = ['imap', 'pop', 'smtp'];
/** The client through which this test, or a mail server, asks about tokens. */
export const INSPECTOR = { id: 'inspector', secret: 'inspector-secret' };
/** Redirect URIs of a native client: RFC 8252 lets the port differ. */
const LOOPBACK = ['http://localhost/', 'http://127.0.0.1/', 'http://[::1]/'];

/** What a token is asked for with, once the user has a device's code (RFC 8628 section 3.4). */
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

const signingKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });

/** A client as pizauth is one: native, public, with PKCE. */
export function publicClient(id) {
  return {
    client_id: id,
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    redirect_uris: LOOPBACK,
  };
}

/** The same with a secret, sent as `method` says. */
export function confidentialClient(id, secret, method) {
  return { ...publicClient(id), client_secret: secret, token_endpoint_auth_method: `client_secret_${method}` };
}

/** A client without a browser of its own, which has the user type a code in elsewhere. */
export function deviceClient(id) {
  const client = publicClient(id);
  return { ...client, grant_types: [...client.grant_types, DEVICE_GRANT] };
}

/** A client as web sites are: it has a secret, and comes back to exactly this URI. */
export function webClient(id, secret, redirectUri) {
  return { ...confidentialClient(id, secret, 'post'), application_type: 'web', redirect_uris: [redirectUri] };
}

/** A client that has no user. */
export function serviceClient(id, secret, method) {
  return {
    client_id: id,
    client_secret: secret,
    token_endpoint_auth_method: `client_secret_${method}`,
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
  };
}

function inspectorClient() {
  return {
    client_id: INSPECTOR.id,
    client_secret: INSPECTOR.secret,
    grant_types: [],
    response_types: [],
    redirect_uris: [],
  };
}

/** What the provider remembers: it outlives the provider unless it is forgotten. */
class Memory {
  constructor(clients) {
    this.entries = new Map();
    for (const client of clients) this.entries.set(`Client:${client.client_id}`, client);
  }

  /** The shape in which oidc-provider wants its storage. */
  adapter() {
    const { entries } = this;
    return class {
      constructor(model) { this.model = model; }

      key(id) { return `${this.model}:${id}`; }

      async upsert(id, payload) { entries.set(this.key(id), payload); }

      async find(id) { return entries.get(this.key(id)); }

      async findByUid(uid) { return [...entries.values()].find((entry) => entry.uid === uid && entry.kind === this.model); }

      async findByUserCode(code) { return [...entries.values()].find((entry) => entry.userCode === code); }

      async consume(id) { entries.get(this.key(id)).consumed = Math.floor(Date.now() / 1000); }

      async destroy(id) { entries.delete(this.key(id)); }

      async revokeByGrantId(grantId) {
        for (const [key, entry] of entries) if (entry.grantId === grantId) entries.delete(key);
      }
    };
  }
}

/** The provider. Its events are lists that only grow; its lifetimes may be changed at any time. */
export class Provider {
  /**
   * Starts one. `clients`: see above. `life`: of access tokens, in seconds. `tls`: as from
   * makeCertificate, for https.
   */
  static async start(stage, { clients = [publicClient('pizauth')], life = 3600, tls } = {}) {
    const provider = new Provider(clients, life, tls);
    await provider.up();
    stage.atEnd(() => provider.down());
    stage.clue(() => `provider: ${JSON.stringify(provider.requests.slice(-8))}`);
    return provider;
  }

  constructor(clients, life, tls) {
    this.tls = tls && { ca: fs.readFileSync(tls.ca), cert: fs.readFileSync(tls.certificate), key: fs.readFileSync(tls.key) };
    this.clients = [...clients, inspectorClient()];
    this.life = life;
    /** How long a device's code is good, in seconds. */
    this.codeLife = 600;
    this.port = 0;
    this.memory = new Memory(this.clients);
    this.cookieKey = randomBytes(16).toString('hex');
    /** Responses that are not finished. */
    this.answering = new Set();
    /** Requests at the token endpoint: how they came and what they got. */
    this.requests = [];
    /** Requests to revoke a token (RFC 7009): whose, which token, and the HTTP status. */
    this.revocations = [];
    /** Why the provider refused a request, which it does not tell the client. */
    this.details = new WeakMap();
    /** Grants that the provider revoked: by reuse detection, or because it was asked to. */
    this.revoked = [];
  }

  get issuer() { return `${this.tls ? 'https' : 'http'}://127.0.0.1:${this.port}`; }

  /** Its endpoints, as a configuration of pizauth names them. */
  get endpoints() { return { auth_uri: `${this.issuer}/auth`, token_uri: `${this.issuer}/token` }; }

  /** Where a device asks for a code. */
  get deviceUri() { return `${this.issuer}/device/auth`; }

  /** Where a client gives its tokens back. */
  get revokeUri() { return `${this.issuer}/token/revocation`; }

  /** Where a mail server asks about tokens (RFC 7662), with its credentials. */
  get introspection() {
    return `${this.issuer.replace('//', `//${INSPECTOR.id}:${INSPECTOR.secret}@`)}/token/introspection`;
  }

  /** Starts listening, at the same port as before. */
  async up() {
    const handler = (request, response) => {
      this.answering.add(response);
      response.once('close', () => this.answering.delete(response));
      return this.handler(request, response);
    };
    this.server = this.tls ? https.createServer(this.tls, handler) : http.createServer(handler);
    this.port ||= await freePort();
    await new Promise((done, failed) => this.server.once('error', failed).listen(this.port, '127.0.0.1', done));
    this.build();
  }

  /**
   * Stops listening and drops every connection, as a machine that is switched off; but between two
   * answers. An answer that is lost when the refresh token has been rotated already ends a login
   * whose provider detects reuse, whatever a client does.
   */
  async down() {
    if (!this.server.listening) return;
    const closed = new Promise((done) => this.server.close(done));
    while (this.answering.size > 0) await once([...this.answering][0], 'close');
    this.server.closeAllConnections();
    await closed;
  }

  /** Forgets every login and token, but not who its clients are. */
  forget() {
    this.memory = new Memory(this.clients);
    this.build();
  }

  /** Forgets this client, until it is registered again. */
  unregister(id) { this.memory.entries.delete(`Client:${id}`); }

  /** Knows this client. */
  register(client) { this.memory.entries.set(`Client:${client.client_id}`, client); }

  /** Ends every login, as a user does on the provider's "connected applications" page. */
  revokeLogins() {
    for (const [key, entry] of this.memory.entries) if (entry.grantId || key.startsWith('Grant:')) this.memory.entries.delete(key);
  }

  build() {
    this.oidc = new OidcProvider(this.issuer, this.settings());
    this.oidc.use((ctx, next) => this.watch(ctx, next));
    this.oidc.on('grant.error', (ctx, error) => this.details.set(ctx, error.error_detail));
    this.oidc.on('grant.revoked', (ctx, grantId) => this.revoked.push(grantId));
    this.handler = this.oidc.callback();
  }

  settings() {
    return {
      adapter: this.memory.adapter(),
      clients: [],
      cookies: { keys: [this.cookieKey] },
      jwks: { keys: [signingKey] },
      scopes: ['openid', 'offline_access', ...MAIL_SCOPES],
      rotateRefreshToken: true,
      // A device has no way to send prompt=consent, without which there is no offline_access.
      issueRefreshToken: (ctx, client, code) => client.grantTypeAllowed('refresh_token')
        && (code.kind === 'DeviceCode' || code.scopes.has('offline_access')),
      features: {
        devInteractions: { enabled: true },
        deviceFlow: { enabled: true },
        clientCredentials: { enabled: true },
        introspection: { enabled: true, allowedPolicy: () => true },
        revocation: { enabled: true },
      },
      ttl: {
        AccessToken: () => this.life,
        AuthorizationCode: 60,
        ClientCredentials: () => this.life,
        DeviceCode: () => this.codeLife,
        Grant: 86_400,
        IdToken: 3600,
        Interaction: 600,
        RefreshToken: 86_400,
        Session: 86_400,
      },
      findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    };
  }

  /** Notes what came to the token endpoint, and how the client proved who it is. */
  async watch(ctx, next) {
    await next();
    const body = ctx.oidc?.body ?? {};
    if (ctx.path === '/token/revocation') this.revocations.push({ client: ctx.oidc?.client?.clientId, token: body.token, hint: body.token_type_hint, status: ctx.status });
    if (ctx.path !== '/token') return;
    this.requests.push({
      grant: body.grant_type,
      client: ctx.oidc?.client?.clientId,
      basic: ctx.headers.authorization !== undefined,
      authorization: ctx.headers.authorization,
      post: body.client_secret !== undefined,
      pkce: body.code_verifier !== undefined,
      status: ctx.status,
      error: ctx.body?.error,
      detail: this.details.get(ctx),
    });
  }

  /** How many refreshes succeeded. */
  get refreshes() {
    return this.requests.filter(({ grant, status }) => grant === 'refresh_token' && status === 200).length;
  }

  /** When an access token that this provider remembers ends, in milliseconds since 1970. */
  endOf(token) { return (this.memory.entries.get(`AccessToken:${token}`)?.exp ?? 0) * 1000; }

  /** What this provider says of a token. */
  introspect(token) { return introspect(this.introspection, token, this.tls?.ca); }
}

/** What a provider says of a token (RFC 7662). The URL carries the asking client's credentials. */
export function introspect(url, token, ca) {
  return new Promise((done, failed) => {
    const { request } = url.startsWith('https:') ? https : http;
    // No connection is kept: the provider may have been down since.
    const asking = request(url, {
      method: 'POST',
      agent: false,
      ca,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    asking.once('error', failed).once('response', async (response) => {
      const text = (await response.setEncoding('utf8').toArray()).join('');
      if (response.statusCode === 200) done(JSON.parse(text));
      else failed(new Fault(`introspection answered ${response.statusCode}: ${text}`));
    });
    asking.end(new URLSearchParams({ token }).toString());
  });
}
